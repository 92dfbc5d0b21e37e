// One slide at a time: keys, buttons, a window with the notes. The number of the slide stands in the address.
const stage = document.getElementById('stage'), slides = [...document.querySelectorAll('.slide')];
let now = 0, speaker = null;

function go(to) {
  now = Math.max(0, Math.min(slides.length - 1, to));
  slides.forEach((slide, i) => {
    slide.classList.toggle('now', i === now);
    slide.nextElementSibling.classList.toggle('now', i === now);
    slide.inert = i !== now;
  });
  slides[now].focus({preventScroll: true});
  history.replaceState(null, '', `#${now + 1}`);
  tell();
}

function tell() {
  if (!speaker || speaker.closed) return;
  const next = slides[now + 1]?.querySelector('h1, h2').textContent ?? 'the end';
  const page = speaker.document, head = page.createElement('h2'), foot = page.createElement('p');
  head.textContent = `${now + 1} of ${slides.length}: ${slides[now].querySelector('h1, h2').textContent}`;
  foot.textContent = `${slides[now].querySelector('footer span').textContent}. Next: ${next}`;
  page.body.innerHTML = slides[now].nextElementSibling.innerHTML || '<p>No notes on this slide.</p>';
  page.body.prepend(head);
  page.body.append(foot);
}

function scale() {
  const tall = document.body.classList.contains('with-notes') ? 1010 : 720;
  const by = Math.min(innerWidth / 1280, innerHeight / tall);
  stage.style.transform = `translate(${(innerWidth - 1280 * by) / 2}px, ${(innerHeight - tall * by) / 2}px) scale(${by})`;
}

// A diagram grows to the slide, but not beyond twice its size; what is too tall gets smaller, down to what can be read.
function fit() {
  for (const svg of document.querySelectorAll('.slide .diagram svg')) {
    const {width, height} = svg.viewBox.baseVal, alone = svg.closest('.diagram-slide');
    const room = alone ? svg.closest('.diagram').clientHeight : 300;
    svg.style.maxWidth = `${width * Math.min(2, 1140 / width, Math.max(room / height, .45))}px`;
  }
  for (const content of document.querySelectorAll('.content')) {
    for (let size = 1; content.scrollHeight > content.clientHeight + 1 && size > .62; size -= .04) {
      content.style.fontSize = `${size}em`;
    }
  }
}

const acts = {
  notes() { document.body.classList.toggle('with-notes'); scale(); },
  speaker() {
    speaker = window.open('', 'speaker', 'width=700,height=600');
    if (!speaker) return;
    speaker.document.title = 'Notes';
    speaker.document.body.style = 'font: 18px/1.5 system-ui, sans-serif; margin: 1.5em; color-scheme: light dark';
    speaker.onkeydown = key;
    tell();
  },
  full() { document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(); },
  theme,
};
const steps = {ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1};
const letters = {n: 'notes', s: 'speaker', f: 'full', t: 'theme'};

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || (event.key === ' ' && event.target.closest?.('button, summary'))) return;
  if (steps[event.key]) go(now + steps[event.key]);
  else if (event.key === 'Home') go(0);
  else if (event.key === 'End') go(slides.length - 1);
  else if (letters[event.key]) acts[letters[event.key]]();
  else return;
  event.preventDefault();
}

addEventListener('keydown', key);
addEventListener('resize', scale);
addEventListener('hashchange', () => go(Number(location.hash.slice(1)) - 1 || 0));
for (const button of document.querySelectorAll('.keys button')) {
  button.onclick = () => button.dataset.go ? go(now + Number(button.dataset.go)) : acts[button.dataset.do]();
}
scale();
go(Number(location.hash.slice(1)) - 1 || 0);
const ready = Promise.resolve(typeof lab === 'undefined' ? null : lab.drawn).then(fit);
