// Draws the diagrams of the page. Where one cannot be drawn, its source stays.
lab.drawn = (async () => {
  const fontFamily = getComputedStyle(document.body).fontFamily, own = {useMaxWidth: false};
  lab.mermaid.initialize({startOnLoad: false, securityLevel: 'strict', maxTextSize: 1e5, fontFamily, flowchart: own, sequence: own});
  let number = 0;
  for (const figure of document.querySelectorAll('figure.diagram')) {
    const source = figure.querySelector('pre');
    try {
      const {svg} = await lab.mermaid.render(`diagram-${++number}`, source.textContent);
      source.insertAdjacentHTML('beforebegin', svg);
      source.hidden = true;
    } catch (error) {
      console.error(error);
    }
  }
})();
