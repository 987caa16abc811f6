import { defineConfig } from 'vite';

/** The live page: plain files, nothing inline (the content security policy forbids it), nothing from elsewhere. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    target: 'chrome87',
    assetsInlineLimit: 0,
    modulePreload: false,
    sourcemap: false,
  },
});
