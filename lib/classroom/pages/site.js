// The search: all words have to be there; a word in a title counts more than one in the text. It needs no server.
const query = document.getElementById('query'), results = document.getElementById('results');
let entries = [], loading = null, quiet = false;

const fold = text => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

// The index comes when it is first needed, as a script: a page from a file may read no other file.
function load() {
  return loading ??= new Promise((done, failed) => {
    document.head.append(Object.assign(document.createElement('script'), {src: 'search.js', onload: done, onerror: failed}));
  }).then(() => { entries = INDEX.map(entry => ({...entry, title: fold(entry.t), text: fold(entry.x)})); });
}

// How often a word begins in a text; found only inside another word, it counts less.
function count(text, word) {
  let times = 0, inside = 0;
  for (let at = text.indexOf(word); at >= 0 && times < 5; at = text.indexOf(word, at + 1)) {
    at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]) ? times++ : inside = 0.3;
  }
  return times || inside;
}

function search(asked) {
  const words = fold(asked).split(/\s+/).filter(Boolean), found = [];
  for (const entry of words.length ? entries : []) {
    let score = entry.title === words.join(' ') ? 60 : entry.title.startsWith(words.join(' ')) ? 15 : 0;
    for (const word of words) {
      const [above, below] = [count(entry.title, word), count(entry.text, word)];
      if (!above && !below) { score = 0; break; }
      score += 10 * above + below;
    }
    if (score) found.push([score, entry]);
  }
  return [words, found.sort((a, b) => b[0] - a[0]).map(([, entry]) => entry)];
}

// A piece of the text around the first word, with all words marked.
function snippet(entry, words) {
  const line = document.createElement('p'), first = Math.min(...words.map(w => entry.text.indexOf(w)).filter(at => at >= 0));
  const from = Number.isFinite(first) ? Math.max(0, entry.x.lastIndexOf(' ', Math.max(0, first - 60))) : 0;
  const piece = entry.x.slice(from, from + 200), signs = words.map(w => w.replace(/[^\p{L}\p{N}]/gu, '\\$&'));
  line.append(from ? '… ' : '');
  for (const part of piece.split(new RegExp(`(${signs.join('|')})`, 'giu'))) {
    const marked = words.includes(fold(part)) ? document.createElement('mark') : document.createElement('span');
    marked.textContent = part;
    line.append(marked);
  }
  line.append(from + 200 < entry.x.length ? ' …' : '');
  return line;
}

function leave() {
  results.hidden = quiet = true;
  query.focus();
  quiet = false;
}

async function show() {
  await load();
  const [words, found] = search(query.value), list = document.createElement('ol'), most = 25;
  for (const entry of found.slice(0, most)) {
    const item = document.createElement('li'), link = document.createElement('a'), where = document.createElement('small');
    link.href = entry.a;
    link.append(Object.assign(document.createElement('b'), {textContent: entry.t}), ' ', where, snippet(entry, words));
    where.textContent = entry.w === entry.t ? '' : entry.w;
    link.onclick = () => { results.hidden = true; };
    item.append(link);
    list.append(item);
  }
  const said = document.createElement('small'), several = found.length === 1 ? 'place' : 'places';
  said.textContent = found.length ? `${found.length} ${several}${found.length > most ? `, the best ${most} of them` : ''}` : 'Nothing has all of these words; try fewer, or the beginning of one.';
  results.replaceChildren(said, list);
  results.hidden = !words.length;
}

query.addEventListener('focus', () => { load(); if (query.value && !quiet) show(); });
query.addEventListener('input', show);
query.form.addEventListener('submit', event => {
  event.preventDefault();
  results.querySelector('a')?.click();
});
addEventListener('keydown', event => {
  const links = [...results.querySelectorAll('a')], at = links.indexOf(document.activeElement);
  if (event.key === '/' && !event.target.closest('input, textarea')) query.focus();
  else if (event.key === 'Escape' && !results.hidden) leave();
  else if (event.key === 'ArrowDown' && !results.hidden && (at >= 0 || event.target === query)) (links[at + 1] ?? links.at(-1))?.focus();
  else if (event.key === 'ArrowUp' && at >= 0) (links[at - 1] ?? query).focus();
  else return;
  event.preventDefault();
});
document.addEventListener('click', event => { if (!event.target.closest('header')) results.hidden = true; });
