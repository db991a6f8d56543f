// The programs under test.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';

const repo = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const build = process.env.SR_BUILD ?? join(repo, 'build');
export function program(name) {
  const path = join(build, name);
  assert.ok(existsSync(path), `${path} is missing: build first (make), or name the folder in SR_BUILD`);
  return path;
}
