// A little application with the built package in its node_modules, as npm would put it there.

import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Its folder, under target/npm/apps. */
export function installed(name, files) {
  const app = join(process.env.PACKAGE, "..", "apps", name);
  rmSync(app, { recursive: true, force: true });
  cpSync(process.env.PACKAGE, join(app, "node_modules", "@portcullis", "validators"), { recursive: true });
  const all = { "package.json": JSON.stringify({ name, private: true, type: "module", dependencies: { "@portcullis/validators": "*" } }), ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), text);
  }
  return app;
}
