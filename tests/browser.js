// What tests/test_browser.py does and looks for in the page. `panel` is the notebook in front.
window.lab = {
  // What stands in the page before a kernel is there looks idle; a run started then would ask which one to take.
  async attached(panel) {
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
  },

  // Run all cells. JupyterLab's own word for the end never comes when, under load, a reply is lost on its way: then it is
  // enough that the kernel has been idle for 20 seconds.
  async runAll(app, panel) {
    let ended = false;
    const idle = async () => {
      for (let quiet = 0; quiet < 20 && !ended; ) {
        await new Promise(next => setTimeout(next, 1000));
        quiet = panel.sessionContext.session?.kernel?.status === 'idle' ? quiet + 1 : 0;
      }
    };
    await Promise.race([app.commands.execute('notebook:run-all-cells').finally(() => ended = true), idle()]);
  },

  // A cell at the end, and to take away all that were added.
  add(panel, source) {
    panel.content.model.sharedModel.addCell({cell_type: 'code', source, metadata: {scratch: true}});
  },
  clear(panel) {
    const model = panel.content.model.sharedModel;
    while (model.cells.at(-1).getMetadata('scratch')) model.deleteCell(model.cells.length - 1);
  },

  // The lower end of the last cell, once all are drawn, diagrams too, and nothing has moved for half a second.
  settled(panel) {
    const cells = panel.content.widgets, end = cells.at(-1).node.getBoundingClientRect().bottom, now = performance.now();
    const drawn = cells.length === panel.content.model.cells.length && cells.every(c => c.isAttached && !c.isPlaceholder())
      && panel.node.querySelectorAll('.jp-RenderedMermaid').length === lab.asked(panel);
    if (!drawn || window.end !== end) window.moved = now;
    window.end = end;
    return now - window.moved > 500 && end;
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

  // How many diagrams the sources of cells and outputs hold.
  asked(panel) {
    const cells = panel.content.widgets.map(c => c.model);
    const texts = cells.flatMap(m => m.type === 'markdown' ? [m.sharedModel.getSource()]
      : (m.outputs?.toJSON() ?? []).map(o => [o.data?.['text/markdown'] ?? ''].flat().join('')));
    return texts.join('\n').split('```mermaid').length - 1;
  },

  // The diagrams that were drawn, and their texts: how large, and how many of the pixels around stand out (WCAG 2, 4.5).
  async diagrams(panel) {
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const pictures = [...panel.node.querySelectorAll('.jp-RenderedMermaid:not(.jp-mod-warning) img')], found = [];
    for (const picture of pictures) {
      await picture.decode();
      const {width, height} = picture.getBoundingClientRect();
      // As it looks on the page: on the ground behind it, through its filter.
      const canvas = Object.assign(document.createElement('canvas'), {width: 2 * width, height: 2 * height});
      const pen = canvas.getContext('2d', {willReadFrequently: true});
      pen.fillStyle = getComputedStyle(panel.node.querySelector('.jp-Notebook')).backgroundColor;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.filter = getComputedStyle(picture).filter;
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      // Its source in the page, as large as the picture: what is a text there, and where.
      const twin = document.createElement('div');
      twin.style = `position:fixed;left:0;top:0;opacity:0;width:${width}px`;
      twin.innerHTML = decodeURIComponent(picture.src.slice(picture.src.indexOf(',') + 1)).replace(/^[^]*?(?=<svg)/, '');
      document.body.append(twin);
      const svg = twin.querySelector('svg'), ends = svg.getBoundingClientRect(), texts = [];
      const walk = document.createTreeWalker(svg, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const element = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
        if (!/\p{L}|\p{N}/u.test(text) || element.closest('style, title, desc, defs')) continue;
        const range = document.createRange();
        range.selectNodeContents(walk.currentNode);
        const box = range.getBoundingClientRect(), size = parseFloat(getComputedStyle(element).fontSize) * svg.getScreenCTM().a;
        const {data} = pen.getImageData(...[box.x - ends.x, box.y - ends.y, box.width, box.height].map(v => Math.round(2 * v)));
        const counts = {};
        for (let i = 0; i < data.length; i += 4) counts[data.slice(i, i + 3)] = (counts[data.slice(i, i + 3)] ?? 0) + 1;
        const colours = Object.entries(counts).map(([c, n]) => [light(c.split(',')), n]).sort((a, b) => b[1] - a[1]);
        const apart = colours.filter(([l]) => (Math.max(l, colours[0][0]) + 0.05) / (Math.min(l, colours[0][0]) + 0.05) >= 4.5);
        texts.push({text, size, seen: apart.reduce((sum, [, n]) => sum + n, 0) / (data.length / 4)});
      }
      twin.remove();
      found.push({title: picture.alt, texts});
    }
    return found;
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
