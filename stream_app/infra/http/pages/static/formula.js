// The TeX of the catalogue (fractions, roots, sums, indices) as MathML, which browsers draw themselves.
const NS = "http://www.w3.org/1998/Math/MathML";
const SYMBOLS = { sum: "∑", Delta: "Δ", cdot: "·", eta: "η", sigma: "σ", max: "max", min: "min", ",": "" };

function m(tag, ...children) {
  const element = document.createElementNS(NS, tag);
  element.append(...children);
  return element;
}

const row = (items) => (items.length === 1 ? items[0] : m("mrow", ...items));

class Reader {
  constructor(tex) {
    this.tokens = tex.match(/\\[a-zA-Z]+|\\.|[0-9]+(?:\.[0-9]+)?|[a-zA-Z]+|[^\s]/g) ?? [];
    this.at = 0;
  }

  next() {
    const token = this.tokens[this.at];
    this.at += 1;
    return token;
  }

  // Everything up to a closing token.
  until(end) {
    const items = [];
    while (this.at < this.tokens.length && this.tokens[this.at] !== end) {
      const atom = this.atom();
      if (atom) items.push(this.scripts(atom));
    }
    this.at += 1;
    return row(items);
  }

  group() {
    const token = this.next();
    if (token === "{") return this.until("}");
    this.at -= 1;
    return this.atom();
  }

  scripts(base) {
    let [low, high] = [null, null];
    for (;;) {
      const token = this.tokens[this.at];
      if (token !== "_" && token !== "^") break;
      this.at += 1;
      if (token === "_") low = this.group();
      else high = this.group();
    }
    const isLarge = base.textContent === "∑" || base.textContent === "max";
    if (low && high) return m(isLarge ? "munderover" : "msubsup", base, low, high);
    if (low) return m(isLarge ? "munder" : "msub", base, low);
    return high ? m(isLarge ? "mover" : "msup", base, high) : base;
  }

  atom() {
    const token = this.next();
    if (token === "{") return this.until("}");
    if (token === "\\frac") return m("mfrac", this.group(), this.group());
    if (token === "\\sqrt") return m("msqrt", this.group());
    if (token === "\\overline" || token === "\\bar") return m("mover", this.group(), m("mo", "¯"));
    if (token === "\\left" || token === "\\right") return m("mo", this.next());
    if (token === "\\%") return m("mo", "%");
    if (token.startsWith("\\")) {
      const symbol = SYMBOLS[token.slice(1)];
      if (symbol === "") {
        const space = m("mspace");
        space.setAttribute("width", "0.17em");
        return space;
      }
      return m(token === "\\sum" || token === "\\cdot" ? "mo" : "mi", symbol ?? token.slice(1));
    }
    if (/^[0-9]/.test(token)) return m("mn", token);
    if (/^[a-zA-Z]/.test(token)) return m("mi", token);
    return m("mo", token === "-" ? "−" : token);
  }
}

export function formula(tex) {
  const math = m("math", new Reader(tex).until(null));
  math.setAttribute("displaystyle", "true");
  return math;
}
