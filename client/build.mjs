// dist/: each entry as ESM and CJS, minified, with its types; and min.js, for <script>. Prints their sizes.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { minify } from 'terser';

const here = fileURLToPath(new URL('.', import.meta.url));
const FORMATS = { js: 'esm', cjs: 'cjs' };

/* The other entries leave the first one outside: a page that uses two of them has one list of shared connections. */
const beside = (extension) => ({
  name: 'beside',
  setup: ({ onResolve }) => onResolve({ filter: /^\.\/index\.js$/ }, () => ({ path: `./index.${extension}`, external: true })),
});

async function bundle(entry, output, options) {
  const { outputFiles } = await build({
    absWorkingDir: here, entryPoints: [`src/${entry}.js`], outfile: `dist/${output}`, bundle: true, write: false, minify: true, target: 'es2018',
    sourcemap: 'external', external: ['react'], ...options,
  });
  const text = (suffix) => outputFiles.find(({ path }) => path.endsWith(suffix)).text;
  const { code, map } = await minify({ [output]: text(output) }, {
    ecma: 2018, toplevel: options.format !== 'iife', module: options.format === 'esm', compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true, pure_getters: true, keep_fargs: false },
    sourceMap: { content: text('.map'), url: `${output}.map` },
  });
  await writeFile(`${here}dist/${output}`, `${code}\n`);
  await writeFile(`${here}dist/${output}.map`, map);
  const alone = code.replace(/\n?\/\/# sourceMappingURL.*/, '');
  console.log(`${output.padEnd(16)} ${Buffer.byteLength(alone)} bytes, ${gzipSync(alone, { level: 9 }).length} gzipped`);
}

await rm(`${here}dist`, { recursive: true, force: true });
await mkdir(`${here}dist`);
for (const entry of ['index', 'eventsource', 'react']) {
  const types = await readFile(`${here}types/${entry}.d.ts`, 'utf8');
  for (const [extension, format] of Object.entries(FORMATS)) {
    await bundle(entry, `${entry}.${extension}`, { format, plugins: entry === 'index' ? [] : [beside(extension)] });
    await writeFile(`${here}dist/${entry}.d.${extension === 'js' ? 'ts' : 'cts'}`, types.replaceAll("'./index.js'", `'./index.${extension}'`));
  }
}
await bundle('eventsource', 'min.js', { format: 'iife', globalName: 'SSEResilience' });
