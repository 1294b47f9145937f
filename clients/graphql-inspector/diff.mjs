// The committed SDL against the latest release's: what a release has promised may not break. Before the first release
// the last commit is compared, and a break is only shown. That breaks are found at all is tried with one made on purpose.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const SDL = "openapi/schema.graphql";
const folder = "generated/graphql-inspector";
mkdirSync(folder, { recursive: true });

function git(...words) {
  try {
    return execFileSync("git", ["-C", "..", ...words], { encoding: "utf8", maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return null;
  }
}

function diff(before, after) {
  const found = spawnSync("graphql-inspector", ["diff", before, after], { encoding: "utf8", shell: false });
  return { breaks: found.status !== 0, text: found.stdout + found.stderr };
}

const now = readFileSync(`../${SDL}`, "utf8");
const planted = now.replace(/^type Opportunity .*\n/m, (line) => `${line}  planted: Int\n`);
if (planted === now) throw new Error("there is no type Opportunity");
writeFileSync(`${folder}/planted.graphql`, planted);
if (!diff(`${folder}/planted.graphql`, `../${SDL}`).breaks) throw new Error("a field was taken away, and no break was found");
if (diff(`../${SDL}`, `${folder}/planted.graphql`).breaks) throw new Error("a field was added, and a break was found");

const release = git("describe", "--tags", "--abbrev=0", "--match", "v*")?.trim();
const base = release ?? "HEAD~1";
const before = git("show", `${base}:${SDL}`);
if (before === null) {
  console.log(`no ${base} to compare with`);
} else {
  writeFileSync(`${folder}/before.graphql`, before);
  const { breaks, text } = diff(`${folder}/before.graphql`, `../${SDL}`);
  console.log(`since ${base}:\n${text}`);
  if (breaks && release) process.exit(1);
}
