// Issues: a stable code, a sentence in English, and the path to what they are about.

export const issue = (code, message, path = []) => ({ code, message, path });

/** Field, code and sentence in threes. `pathOf` turns the field's name into a path. */
export function issuesOf(cells, pathOf) {
  const issues = [];
  for (let at = 0; at + 2 < cells.length; at += 3) {
    issues.push(issue(cells[at + 1], cells[at + 2], pathOf(cells[at])));
  }
  return issues;
}

/** A row of a module as a result. */
export function resultOf([state, ...cells], valueOf, pathOf = () => []) {
  if (state === "ok") return { ok: true, value: valueOf(cells) };
  return { ok: false, issues: issuesOf(cells, pathOf) };
}

export const refused = (...issues) => ({ ok: false, issues });
