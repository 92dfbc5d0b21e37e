// Light or dark: as the system has it, until the reader presses the button.
const root = document.documentElement, system = matchMedia('(prefers-color-scheme: dark)');
const kept = value => {
  try {
    if (value) localStorage.setItem('llmlab-scheme', value);
    return localStorage.getItem('llmlab-scheme');
  } catch { return null; }  // a page from a file may keep nothing
};
root.dataset.scheme = kept() ?? (system.matches ? 'dark' : 'light');
system.addEventListener('change', () => { root.dataset.scheme = kept() ?? (system.matches ? 'dark' : 'light'); });
function theme() {
  root.dataset.scheme = root.dataset.scheme === 'dark' ? 'light' : 'dark';
  kept(root.dataset.scheme);
}
