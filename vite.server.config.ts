import { defineConfig } from 'vite';

/**
 * The program: a few files instead of five hundred, each of which a command or thread that starts had to find and link. Packages stay where
 * npm puts them. All lie side by side: a worker is found beside whoever starts it, and `config` one level up, as in `src`.
 */
const entries = [
  'main',
  // Threads.
  'pipeline/body-worker',
  'pipeline/memory-worker',
  'pipeline/score-worker',
  'bench/load',
  // What tests start threads with.
  'pipeline/body-threads',
  'pipeline/memory-threads',
  'pipeline/score-threads',
  'pipeline/score',
];

const isOwn = (id: string): boolean => id.startsWith('.') || id.startsWith('/');

export default defineConfig({
  build: {
    ssr: true,
    outDir: 'dist',
    emptyOutDir: true,
    target: 'node20',
    sourcemap: true,
    minify: false,
    rollupOptions: {
      input: Object.fromEntries(entries.map((entry) => [entry.split('/').at(-1)!, `src/${entry}.ts`])),
      external: (id) => !isOwn(id),
      output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
    },
  },
});
