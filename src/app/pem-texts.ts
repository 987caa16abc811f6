import { readFile } from 'node:fs/promises';

/** Names of PEM files; empty where there is none. */
interface PemFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** What they hold. Throws where one cannot be read. */
export async function pemTexts({ caFile, certFile, keyFile }: PemFiles): Promise<{ ca?: string; cert?: string; key?: string }> {
  const read = async (name: 'ca' | 'cert' | 'key', file: string) => (file === '' ? {} : { [name]: await readFile(file, 'utf8') });
  return Object.assign({}, ...(await Promise.all([read('ca', caFile), read('cert', certFile), read('key', keyFile)]))) as {
    ca?: string;
    cert?: string;
    key?: string;
  };
}
