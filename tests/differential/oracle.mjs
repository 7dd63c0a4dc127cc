// Answers what changesets itself would plan. One case as JSON a line on standard input, one answer a line on standard
// output, in their order: {"plan": …} or {"error": "…"}. The argument is the folder whose node_modules hold both majors.
import { createRequire, syncBuiltinESMExports } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";
import util from "node:util";

// The engines complain to people about ranges that are left; the answer is what counts. Changesets 3 cannot even
// colour that complaint when the range is on a package without a version, and would end there.
console.error = console.warn = () => {};
util.styleText = (_, text) => String(text);
syncBuiltinESMExports();

const folder = process.argv[2];
const load = async (from, name) =>
  import(pathToFileURL(createRequire(path.join(folder, "node_modules", from, "package.json")).resolve(name)).href);

const engines = {
  2: {
    assemble: (await load("assemble-2", "assemble-2")).default.default,
    readConfig: (json, packages) => config2.default.parse(json, packages),
    wrap: (root, packages) => ({ tool: "pnpm", root, packages }),
  },
  3: {
    assemble: (await load("assemble-3", "assemble-3")).assembleReleasePlan,
    readConfig: (json, packages) => {
      const { config, errors } = config3.validateConfig(json, packages);
      if (errors !== undefined) throw new Error(errors.join("; "));
      return config;
    },
    wrap: (root, packages) => ({ tool: { type: "pnpm" }, rootDir: root.dir, rootPackage: root, packages }),
  },
};
const config2 = await load("changesets-2", "@changesets/config");
const config3 = await load("changesets-3", "@changesets/config");
const semver = (await load("semver", "semver")).default;

const RealDate = Date;

function plan({ major, packages, config, changesets, preState, snapshot, now }) {
  const engine = engines[major];
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length === 0 ? [now] : given));
    }
  };
  const root = { dir: "/r", relativeDir: ".", packageJson: { name: "the-root", version: "0.0.0", private: true } };
  const listed = packages.map(({ folder, manifest }) => ({
    dir: path.posix.join("/r", folder),
    relativeDir: folder,
    packageJson: manifest,
  }));
  const wrapped = engine.wrap(root, listed);
  const settings = engine.readConfig(config, wrapped);
  return engine.assemble(changesets, wrapped, settings, preState ?? undefined, snapshot ?? undefined);
}

const questions = {
  plan,
  ranges: ({ pairs }) => pairs.map(([version, range]) => [semver.validRange(range) !== null, semver.satisfies(version, range)]),
  increments: ({ pairs }) => pairs.map(([version, bump]) => semver.inc(version, bump)),
  // What node-semver tests itself with, out of a checkout of it.
  fixtures: ({ checkout, names }) => {
    const require = createRequire(path.join(checkout, "package.json"));
    return names.map((name) => require(`./test/fixtures/${name}.js`));
  },
  versions: ({ texts }) => texts.map((text) => semver.valid(text)),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = { answer: questions[question.ask](question) };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
