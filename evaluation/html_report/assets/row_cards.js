// One row as a card: where it is from, the prompt, and its answer or its two answers side by side.

const ROLES = { system: "System", user: "User", assistant: "Assistant" };

function rowCard(row, plain) {
  const title = row.isPair ? "Preference pair" : "SFT row";
  const facts = [["Dataset", row.dataset], ["Domain", row.domain], ["Source", sources(row)]];
  if (row.margin !== null) facts.push(["Margin", row.margin.toFixed(4)]);
  if (row.gold !== undefined) facts.push(["Right answer", row.gold]);
  facts.push(["Prompt", row.promptId]);
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  const answers = row.isPair
    ? [
        answerColumn("Chosen", row.answer, row.score, row.check, plain, "chosen"),
        answerColumn("Rejected", row.rejected, row.rejectedScore, row.rejectedCheck, plain, "rejected"),
      ]
    : [answerColumn("Answer", row.answer, row.score, row.check, plain, "only")];
  return make(
    "article",
    { class: "row-card", "data-row": row.number },
    make("header", {}, make("h3", {}, title), list),
    promptBox(row.messages, plain),
    make("div", { class: row.isPair ? "answers two" : "answers" }, ...answers),
  );
}

function sources(row) {
  return row.rejectedSource && row.rejectedSource !== row.source ? `${row.source} over ${row.rejectedSource}` : row.source;
}

function promptBox(messages, plain) {
  const box = make("div", { class: "prompt" });
  for (const [role, content] of messages) {
    const name = messages.length === 1 ? "Prompt" : ROLES[role] || role;
    box.append(make("div", { class: "turn" }, make("p", { class: "role" }, name), richText(content, plain)));
  }
  return box;
}

function answerColumn(title, text, score, check, plain, kind) {
  const marks = make("p", { class: "marks" });
  if (score !== null) marks.append(make("span", { class: "score" }, `RM ${score.toFixed(4)}`));
  if (check) marks.append(verdictBadge(check));
  marks.append(make("span", { class: "length" }, `${thousands(text.length)} characters`));
  return make(
    "section",
    { class: `answer ${kind}`, "aria-label": title },
    make("header", {}, make("h4", {}, title), marks),
    richText(text, plain),
    check ? verdictNote(check) : null,
  );
}

function verdictBadge(check) {
  const good = check.word === "pass" || check.word === "right";
  const unknown = check.word === "undecided" || check.word === "bad_tests";
  let words = check.word.replace("_", " ");
  if (check.kind === "code" && check.total) words += ` ${check.passed}/${check.total}`;
  return make("span", { class: `badge ${good ? "good" : unknown ? "unknown" : "bad"}` }, `${good ? "✓" : unknown ? "?" : "✗"} ${words}`);
}

function verdictNote(check) {
  const note = make("div", { class: "verdict-note" });
  if (check.kind === "math" && check.extracted !== null) note.append(make("p", {}, "Final answer read: ", make("code", {}, check.extracted)));
  if (check.reason) note.append(make("p", {}, check.reason));
  if (check.failure) {
    const list = make("dl", { class: "facts" });
    for (const [name, value] of Object.entries(check.failure)) {
      list.append(make("div", {}, make("dt", {}, name.replaceAll("_", " ")), make("dd", {}, make("code", {}, value))));
    }
    note.append(make("details", {}, make("summary", {}, "First failed test"), list));
  }
  return note.childNodes.length ? note : null;
}
