// JupyterLab's own files of Mermaid stand behind this; here is the little of its module system that they ask for.
const lab = (() => {
  const modules = {}, there = {};
  function need(id) {
    if (!there[id]) {
      const module = there[id] = {exports: {}, id};
      modules[id].call(module.exports, module, module.exports, need);
    }
    return there[id].exports;
  }
  need.m = modules;
  need.g = globalThis;
  need.hmd = need.nmd = module => module;
  need.e = () => Promise.resolve();
  need.o = (object, name) => Object.prototype.hasOwnProperty.call(object, name);
  need.r = exports => Object.defineProperty(exports, '__esModule', {value: true});
  need.d = (exports, given) => {
    for (const name of Object.keys(given)) {
      if (!need.o(exports, name)) Object.defineProperty(exports, name, {enumerable: true, get: given[name]});
    }
  };
  need.n = module => {
    const value = () => module?.__esModule ? module.default : module;
    need.d(value, {a: value});
    return value;
  };
  const chunks = {push: ([, given]) => Object.assign(modules, given)};
  const alias = (id, other) => { modules[id] = module => { module.exports = need(other); }; };
  return {need, chunks, alias};
})();
