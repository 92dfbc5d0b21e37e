// What tests/test_browser.py does and looks for in the page. `panel` is the notebook in front.
window.lab = {
  // What stands in the page before a kernel is there looks idle; a run started then would ask which one to take.
  async attached(panel) {
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
  },

  // A cell at the end, and to take away all that were added.
  add(panel, source) {
    panel.content.model.sharedModel.addCell({cell_type: 'code', source, metadata: {scratch: true}});
  },
  clear(panel) {
    const model = panel.content.model.sharedModel;
    while (model.cells.at(-1).getMetadata('scratch')) model.deleteCell(model.cells.length - 1);
  },

  // The lower end of the last cell, once all are drawn and nothing has moved for a while: diagrams come late.
  settled(panel) {
    const cells = panel.content.widgets, end = cells.at(-1).node.getBoundingClientRect().bottom;
    const drawn = cells.length === panel.content.model.cells.length && cells.every(c => c.isAttached && !c.isPlaceholder());
    window.still = drawn && window.end === end ? window.still + 1 : 0;
    window.end = end;
    return window.still > 30 && end;
  },

  // Texts in outputs whose contrast with what lies behind them (WCAG 2) is below 4.5, or below 3 for signs without words.
  faint(panel) {
    const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1] };
    const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
    const light = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => e ? over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255, 1];
    const opacity = e => e ? Number(getComputedStyle(e).opacity) * opacity(e.parentElement) : 1;
    const faint = [];
    for (const area of panel.node.querySelectorAll('.jp-OutputArea-output')) {
      const walk = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const element = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
        if (!text || !element.checkVisibility()) continue;
        const back = behind(element), [r, g, b, alpha] = parse(getComputedStyle(element).color);
        const front = over([r, g, b, alpha * opacity(element)], back);
        const [dim, bright] = [light(front), light(back)].sort((x, y) => x - y);
        const ratio = (bright + 0.05) / (dim + 0.05);
        if (ratio < (/\p{L}|\p{N}/u.test(text) ? 4.5 : 3)) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
      }
    }
    return faint;
  },

  // What a screen reader could not name.
  nameless(panel) {
    return [...panel.node.querySelectorAll('.jp-OutputArea-output :is(img, button, input, select)')]
      .filter(e => !(e.alt || e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
      .map(e => e.outerHTML);
  },

  // The text alternatives of the pictures in outputs; an error if one cannot be drawn.
  async pictures(panel) {
    const pictures = [...panel.node.querySelectorAll('.jp-OutputArea-output img')];
    await Promise.all(pictures.map(e => e.decode()));
    return pictures.map(e => e.alt);
  },
};
