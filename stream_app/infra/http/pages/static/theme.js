// Runs before the first paint, so that a dark page does not flash white. The choice stays in this browser.
(() => {
  const wanted = () => localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const show = () => { document.documentElement.dataset.theme = wanted(); };
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { show(); dispatchEvent(new Event("theme")); });
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => {
      const isDark = wanted() === "dark";
      button.setAttribute("aria-label", isDark ? "Light colours" : "Dark colours");
      button.textContent = isDark ? "☀" : "☾";
    };
    button.addEventListener("click", () => {
      localStorage.setItem("theme", wanted() === "dark" ? "light" : "dark");
      show();
      say();
      dispatchEvent(new Event("theme"));
    });
    say();
  });
})();
