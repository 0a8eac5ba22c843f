// An answer as it reads best: fenced code coloured, formulas set, bold and headings bold; all else as it was written.

const FENCE = /(^|\n)([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*\n([\s\S]*?)(?:\n[ \t]*\3[ \t]*(?=\n|$)|$)/g;
// Inside of text: code, formulas in the four usual brackets, bold. A dollar opens a formula only where no space follows,
// and closes it only where no space stands before and no digit behind: "$5 and $6" is money.
const INLINE = new RegExp(
  [
    "(`+)(?<code>[^`\\n]+)\\1",
    "\\$\\$(?<display>[\\s\\S]+?)\\$\\$",
    "\\\\\\[(?<brackets>[\\s\\S]+?)\\\\\\]",
    "\\\\\\((?<round>[\\s\\S]+?)\\\\\\)",
    "(?<environment>\\\\begin\\{(?<name>(?:align|equation|gather|multline|eqnarray)\\*?)\\}[\\s\\S]+?\\\\end\\{\\k<name>\\})",
    "(?<![\\\\$\\w])\\$(?<dollar>[^\\s$](?:[^$\\n]*[^\\s$\\\\])?)\\$(?![\\d$])",
    "\\*\\*(?<bold>[^*\\n]+)\\*\\*",
    "(?<=^|\\n)(?<heading>#{1,6} [^\\n]+)",
  ].join("|"),
  "g",
);
const LONGEST_FORMULA = 5000;
const LANGUAGES = {
  py: "python", python3: "python", js: "javascript", ts: "typescript", sh: "bash", shell: "bash", "c++": "cpp",
  "c#": "csharp", cs: "csharp", golang: "go", rs: "rust",
};

function richText(text, plain) {
  const box = make("div", { class: "answer-text" });
  if (plain) {
    box.append(text);
    return box;
  }
  let last = 0;
  for (const match of text.matchAll(FENCE)) {
    const start = match.index + match[1].length;
    if (start > last) box.append(inlineText(text.slice(last, start)));
    box.append(codeBlock(match[5], match[4]));
    last = match.index + match[0].length;
    if (text[last] === "\n") last += 1;
  }
  if (last < text.length) box.append(inlineText(text.slice(last)));
  return box;
}

function inlineText(text) {
  const piece = document.createDocumentFragment();
  let last = 0;
  for (const match of text.matchAll(INLINE)) {
    piece.append(text.slice(last, match.index));
    piece.append(inlinePiece(match));
    last = match.index + match[0].length;
  }
  piece.append(text.slice(last));
  return piece;
}

function inlinePiece(match) {
  const found = match.groups;
  if (found.code !== undefined) return make("code", {}, found.code);
  if (found.bold !== undefined) return make("strong", {}, found.bold);
  if (found.heading !== undefined) return make("strong", { class: "heading" }, found.heading);
  const display = found.display ?? found.brackets ?? found.environment;
  return formula(display ?? found.round ?? found.dollar, display !== undefined, match[0]);
}

// What is no formula that can be set stays as it was written.
function formula(tex, display, written) {
  const box = make("span", { class: display ? "formula display" : "formula", title: tex.trim() });
  if (tex.length > LONGEST_FORMULA) return written;
  try {
    temml.render(tex, box, { displayMode: display, throwOnError: true, trust: false, maxSize: [20, 200], maxExpand: 200 });
  } catch (error) {
    return make("code", { class: "no-formula", title: error.message }, written);
  }
  return box;
}

function codeBlock(code, language) {
  const name = LANGUAGES[language.toLowerCase()] || language.toLowerCase() || "python";
  const grammar = Object.hasOwn(Prism.languages, name) && typeof Prism.languages[name] === "object" ? Prism.languages[name] : null;
  const block = make("code", {}, ...(grammar ? Prism.tokenize(code, grammar).map(tokenElement) : [code]));
  return make("pre", { class: "code", tabindex: "0", "aria-label": `code ${language}`.trim() }, block);
}

function tokenElement(token) {
  if (typeof token === "string") return token;
  const content = Array.isArray(token.content) ? token.content : [token.content];
  return make("span", { class: `token ${token.type}` }, ...content.map(tokenElement));
}
