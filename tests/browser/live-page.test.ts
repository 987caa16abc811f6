import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpServer } from '../../src/http/server.js';
import { centreKey, createPlatform, makeWarning, startServer, type Platform } from '../http/support.js';
import { sampleWarnings } from './sample-warnings.js';

const root = join(import.meta.dirname, '../..');
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const consoleDirectory = mkdtempSync(join(tmpdir(), 'huqi-console-'));

let browser: Browser;
let platform: Platform;
let server: HttpServer;
let url: string;
let port: number;
let errors: string[];

beforeAll(async () => {
  await build({
    configFile: join(root, 'src/console/vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: consoleDirectory, emptyOutDir: true },
  });
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
});
afterAll(async () => {
  await browser.close();
  rmSync(consoleDirectory, { recursive: true, force: true });
});

beforeEach(async () => {
  platform = createPlatform();
  errors = [];
  await start({});
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await server.close();
});

async function start(options: { port?: number; openReading?: boolean }): Promise<void> {
  ({ server, url, port } = await startServer(platform, { consoleDirectory, openReading: true, ...options }));
}

async function openPage(
  options: BrowserContextOptions = {},
  prepare?: (context: BrowserContext) => Promise<void>,
  fragment = '',
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'zh-CN',
    reducedMotion: 'reduce',
    ...options,
  });
  await prepare?.(context);
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${url}${fragment}`);
  // Away from the list, which would stand still.
  await page.mouse.move(5, 5);
  return page;
}

/** What was there already has been read; from now on things are new. */
const filled = (page: Page) => page.locator('#feed[aria-busy=false]').waitFor();
const focused = (page: Page) => page.evaluate<string>('document.activeElement?.textContent');
const rowNames = (page: Page) => page.locator('#rows .c-enterprise .main').allTextContents();
const named = (id: string, change: Parameters<typeof makeWarning>[1] = {}) =>
  makeWarning(id, { ...change, subject: { ...makeWarning(id).subject, name: `企业${id}有限公司` } });
const raise = (...ids: string[]) => ids.forEach((id) => platform.raise(named(id)));

async function seriousViolations(page: Page): Promise<string[]> {
  // The policy of the page forbids inline scripts; evaluation from outside is not bound by it.
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    return (await axe.run()).violations;
  });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`);
}

describe('the feed', () => {
  test('a warning is on the screen within a second of being raised, with level by colour, word and shape', async () => {
    const page = await openPage();
    await page.getByText('暂无预警').waitFor();
    const atMs = Date.now();
    raise('1');
    const row = page.locator('#rows tr');
    await row.waitFor();
    expect(Date.now() - atMs).toBeLessThan(1_000);
    expect(await row.locator('.badge-red svg.shape').count()).toBe(1);
    const text = await row.textContent();
    for (const word of [
      '红色',
      '企业1有限公司',
      '98万元',
      '冒充领导诈骗财务',
      '20分钟内',
      '工商银行',
      '郑州市金水区',
      '09:42:10',
      '待签收',
    ]) {
      expect(text).toContain(word);
    }
    expect(await row.locator('.countdown').textContent()).toMatch(/^1[45]:\d\d$/);
    expect(await page.locator('#connection').textContent()).toBe('实时连接');
    expect(await page.locator('.tile-wide .figure').textContent()).toBe('31,284');
    expect(errors).toEqual([]);
  });

  test('what enterprises share is named, masked, and a record that led to a warning shows no amount and no other party', async () => {
    const page = await openPage();
    const warning = makeWarning('1');
    const { counterparty: _, ...hit } = { ...warning.hits[0]!, transaction: 'R-1', amountFen: 0 };
    const subject = { ...warning.subject, key: 'legal-rep:rep-13493521' };
    platform.raise({ ...warning, subject, amountFen: 0, hits: [hit] });
    const row = page.locator('#rows tr');
    await row.waitFor();
    expect(await row.locator('.c-enterprise').textContent()).toContain('共同法定代表人 rep-****3521');
    expect(await row.locator('.c-amount .main').textContent()).toBe('—');
    await row.click();
    const detail = page.locator('aside .hits');
    await detail.waitFor();
    expect(await detail.textContent()).toContain('参考数据编号 R-1');
    expect(await detail.textContent()).not.toMatch(/对方|0\.00元/);
    expect(errors).toEqual([]);
  });

  test('stands still while the pointer is on it, counts what is new, and goes on when told to', async () => {
    const page = await openPage();
    await filled(page);
    raise('1', '2', '3');
    await page.locator('#rows tr').nth(2).waitFor();
    await page.locator('#rows tr').nth(1).hover();
    const before = await page.locator('#rows tr').nth(1).boundingBox();
    raise(...Array.from({ length: 7 }, (_, i) => `n${i}`));
    const resume = page.getByRole('button', { name: '继续（7条新预警）' });
    await resume.waitFor();
    expect(await rowNames(page)).toEqual(['企业3有限公司', '企业2有限公司', '企业1有限公司']);
    expect(await page.locator('#rows tr').nth(1).boundingBox()).toEqual(before);
    await resume.click();
    await page.locator('#rows tr').nth(9).waitFor();
    expect((await rowNames(page))[0]).toBe('企业n6有限公司');
    // Once more by selection alone, then the pointer leaves and everything flows.
    await page.locator('#rows tr').nth(0).click();
    await page.mouse.move(5, 5);
    raise('later');
    await page.getByRole('button', { name: '继续（1条新预警）' }).waitFor();
    expect(await rowNames(page)).toHaveLength(10);
    await page.getByRole('button', { name: '关闭' }).click();
    await page.getByRole('searchbox').focus();
    await page.mouse.move(5, 5);
    await page.getByText('企业later有限公司').waitFor();
    expect(errors).toEqual([]);
  });

  test('a frozen row still shows what became of its warning', async () => {
    const page = await openPage();
    raise('1', '2');
    await page.locator('#rows tr').nth(1).hover();
    platform.raise(named('1', { revision: 2, status: 'acknowledged', level: 'red' }));
    await page.locator('#rows tr').nth(1).getByText('已签收').waitFor();
    expect(await rowNames(page)).toEqual(['企业2有限公司', '企业1有限公司']);
  });

  test('after the platform was restarted nothing is missing and nothing is there twice', async () => {
    const page = await openPage();
    raise('1', '2', '3');
    await page.locator('#rows tr').nth(2).waitFor();
    await server.close();
    await page.locator('#offline').waitFor();
    raise('4', '5');
    await start({ port });
    raise('6');
    await page.locator('#rows tr').nth(5).waitFor();
    expect(await rowNames(page)).toEqual(['6', '5', '4', '3', '2', '1'].map((id) => `企业${id}有限公司`));
    await page.locator('#connection.is-live').waitFor();
    expect(await page.locator('#offline').isHidden()).toBe(true);
    // The browser itself reports the refused connections; nothing else went wrong.
    expect(errors.filter((text) => !text.includes('net::ERR_'))).toEqual([]);
  });

  test('every open warning can be reached, however many events came after it, and what is not drawn is counted', async () => {
    platform.raise(named('first', { raisedAt: new Date(Date.now() - 86_400_000).toISOString() }));
    for (let i = 0; i < 700; i++) platform.raise(named(`${i}`, { level: 'blue' }));
    for (let revision = 2; revision < 600; revision++) platform.raise(named('699', { level: 'blue', revision }));
    const page = await openPage();
    await page.getByText('显示 500 / 701 条').waitFor();
    expect(await page.locator('#rows tr').count()).toBe(500);
    expect((await rowNames(page))[0]).toBe('企业699有限公司');
    await page.getByText('还有 201 条未显示').waitFor();
    await page.getByRole('button', { name: '再显示 201 条' }).click();
    await page.getByText('显示 701 条').waitFor();
    expect((await rowNames(page)).at(-1)).toBe('企业first有限公司');
    expect(await page.locator('#more').isHidden()).toBe(true);
    await page.getByRole('button', { name: '红色' }).click();
    expect(await rowNames(page)).toEqual(['企业first有限公司']);
    expect(errors).toEqual([]);
  });

  test('open warnings that cannot be read are told of and read at the next try', async () => {
    for (let i = 0; i < 3; i++) platform.raise(named(`${i}`));
    for (let revision = 2; revision < 600; revision++) platform.raise(named('2', { revision }));
    const page = await openPage({}, async (context) => {
      await context.route('**/v1/warnings/open*', (route) => route.abort(), { times: 1 });
    });
    await page.getByText('更早的待签收预警未能读取').waitFor();
    expect(await rowNames(page)).toEqual(['企业2有限公司']);
    await page.getByRole('button', { name: '重试' }).click();
    await page.locator('#rows tr').nth(2).waitFor();
    expect(await page.locator('#backlog').isHidden()).toBe(true);
  });

  test('filters by level, side and text', async () => {
    sampleWarnings().forEach((warning) => platform.raise(warning));
    const page = await openPage();
    await page.locator('#rows tr').nth(15).waitFor();
    await page.getByRole('button', { name: '红色' }).click();
    expect(await page.locator('#rows tr').count()).toBe(3);
    await page.getByRole('button', { name: '涉诈账户' }).click();
    expect(await rowNames(page)).toEqual(['新乡市卓远信息科技有限公司']);
    await page.getByRole('searchbox').fill('没有这家');
    await page.getByRole('button', { name: '清除筛选' }).click();
    await page.getByRole('searchbox').fill('8899 三门峡');
    expect(await rowNames(page)).toEqual(['三门峡市渑池鼎盛矿业有限公司']);
    await page.getByText('显示 1 / 16 条').waitFor();
  });

  test('shows what a bank sent as text, never as markup', async () => {
    const subject = { ...makeWarning('x').subject, name: '<img src=x onerror="document.title=1">有限公司' };
    platform.raise(makeWarning('x', { subject, reason: { zh: '<b>粗</b>', en: 'b' } }));
    const page = await openPage();
    await page.getByText('<b>粗</b>').waitFor();
    expect(await page.locator('#rows img').count()).toBe(0);
    expect(await page.title()).toBe('护企 HuQi · 实时预警');
  });
});

describe('triage', () => {
  test('a warning is found, read, acknowledged and disposed of without a mouse', async () => {
    raise('1', '2', '3');
    const page = await openPage();
    await page.locator('#rows tr').nth(2).waitFor();
    const press = (key: string) => page.keyboard.press(key);
    await press('j');
    await press('j');
    expect(await page.evaluate('document.activeElement?.textContent')).toContain('企业2有限公司');
    await press('Enter');
    const drawer = page.getByRole('complementary', { name: '预警详情' });
    await drawer.getByRole('heading', { name: '企业2有限公司' }).waitFor();
    for (const text of ['暂停付款！', '6222***********2333', '张**', '20260701-000001', '91410100MA44X2Y35K']) {
      expect(await drawer.textContent()).toContain(text);
    }
    await press('a');
    await page.getByLabel('密钥', { exact: true }).waitFor();
    await page.keyboard.type(centreKey);
    await press('Tab');
    await page.keyboard.type('李警官');
    await press('Enter');
    await page.getByText('已签收：企业2有限公司').waitFor();
    await page.locator('#rows tr').nth(1).getByText('已签收').waitFor();
    expect(platform.commands[0]).toMatchObject({ id: '2', by: 'zhengzhou-centre/李警官' });

    await drawer.getByRole('button', { name: '处置' }).focus();
    await press('Enter');
    await press('ArrowDown');
    await press('Tab');
    await page.keyboard.type('已上门见面劝阻，付款撤销');
    await press('Tab');
    await press('Enter');
    await page.getByText('已处置：企业2有限公司').waitFor();
    expect(platform.commands[1]).toMatchObject({
      command: { kind: 'dispose', verdict: 'fraud', note: '已上门见面劝阻，付款撤销' },
    });

    await press('k');
    await drawer.getByRole('heading', { name: '企业3有限公司' }).waitFor();
    await press('Escape');
    expect(await drawer.isHidden()).toBe(true);
    expect(await page.evaluate('document.activeElement?.textContent')).toContain('企业3有限公司');
    await press('/');
    await page.keyboard.type('企业1');
    expect(await rowNames(page)).toEqual(['企业1有限公司']);
    await press('Escape');
    await press('?');
    await page.getByRole('dialog', { name: '键盘操作' }).waitFor();
    await press('Escape');
    expect(errors).toEqual([]);
  });

  test('a wrong key is asked for again, and the command goes through with the right one', async () => {
    raise('1');
    const page = await openPage();
    await page.locator('#rows tr').click();
    await page.getByRole('button', { name: '签收' }).click();
    await page.getByLabel('密钥', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('密钥不正确或没有权限').waitFor();
    await page.getByLabel('密钥', { exact: true }).fill(centreKey);
    await page.keyboard.press('Enter');
    await page.locator('#rows tr').getByText('已签收').waitFor();
    expect(platform.commands).toHaveLength(1);
  });

  test('Tab enters the list at its first row, or at the one that is read', async () => {
    const page = await openPage();
    await filled(page);
    for (const id of ['1', '2', '3']) {
      raise(id);
      await page.getByText(`企业${id}有限公司`).waitFor();
    }
    await page.locator('#freeze').focus();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toContain('企业3有限公司');
    await page.locator('#rows tr').nth(1).click();
    await page.locator('#freeze').focus();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toContain('企业2有限公司');
  });

  test('the focus stays in the drawer after a deed', async () => {
    raise('1');
    const page = await openPage();
    await page.evaluate(`sessionStorage.setItem('huqi.key', '${centreKey}')`);
    await page.locator('#rows tr').click();
    await page.getByRole('button', { name: '签收' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('已签收：企业1有限公司').waitFor();
    expect(await focused(page)).toBe('处置');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.type('已劝阻');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('已处置：企业1有限公司').waitFor();
    expect(await focused(page)).toBe('企业1有限公司');
    await page.getByRole('button', { name: '关闭' }).focus();
    platform.raise(named('1', { revision: 9, status: 'disposed', verdict: 'fraud', hitCount: 2 }));
    await page.locator('.drawer').getByText('2 笔命中').waitFor();
    expect(await focused(page)).toBe('✕');
  });

  test('what was typed about a warning stays, whatever is done in between', async () => {
    raise('1', '2');
    const page = await openPage();
    const row = (name: string) => page.locator('#rows tr').filter({ hasText: name });
    const drawer = page.getByRole('complementary');
    const note = drawer.getByRole('textbox');
    const isThere = async () => {
      expect(await note.inputValue()).toBe('已电话联系法定代表人');
      expect(await drawer.getByRole('radio', { name: '劝阻成功' }).isChecked()).toBe(true);
    };
    await row('企业1').click();
    await drawer.getByRole('button', { name: '处置' }).click();
    await drawer.getByRole('radio', { name: '劝阻成功' }).check();
    await page.keyboard.press('k');
    expect(await drawer.getByRole('heading', { level: 2 }).textContent()).toBe('企业1有限公司');
    await note.fill('已电话联系法定代表人');
    // An input method that is left by Escape leaves the form alone.
    await note.dispatchEvent('keydown', { key: 'Escape', isComposing: true, bubbles: true });
    await isThere();
    await page.keyboard.press('Escape');
    expect(await note.count()).toBe(0);
    await drawer.getByRole('button', { name: '继续填写处置' }).click();
    await isThere();
    await row('企业2').click();
    await drawer.getByRole('button', { name: '处置' }).click();
    expect(await note.inputValue()).toBe('');
    await row('企业1').click();
    await drawer.getByRole('button', { name: '继续填写处置' }).click();
    await isThere();
    platform.raise(named('1', { revision: 2, hitCount: 2 }));
    await drawer.getByText('2 笔命中').waitFor();
    await isThere();
    await page.getByRole('button', { name: 'English' }).click();
    expect(await note.inputValue()).toBe('已电话联系法定代表人');
    expect(await drawer.getByRole('radio', { name: 'Stopped' }).isChecked()).toBe(true);
  });

  test('a warning on an account without a name goes by its masked account', async () => {
    const { subject } = makeWarning('1');
    platform.raise(makeWarning('1', { subject: { ...subject, name: '', key: subject.account } }));
    const page = await openPage();
    await page.evaluate(`sessionStorage.setItem('huqi.key', '${centreKey}')`);
    await page.locator('#rows tr').click();
    expect(await rowNames(page)).toEqual(['4100***********2345']);
    expect(await page.locator('#rows .c-enterprise .small').textContent()).toBe('未报送户名');
    expect(await page.locator('.drawer h2').textContent()).toBe('4100***********2345');
    await page.keyboard.press('a');
    await page.getByText('已签收：4100***********2345').waitFor();
  });

  test('every disposition of a warning is told with whoever found it, the one that stands last', async () => {
    const at = '2026-07-01T11:00:00+08:00';
    const dispositions = [
      { verdict: 'unreachable', by: 'centre/王警官', at, note: '三次未接通' },
      { verdict: 'dissuaded', by: 'centre/李警官', at },
    ] as const;
    platform.raise(
      named('1', {
        status: 'disposed',
        verdict: 'dissuaded',
        disposedBy: 'centre/李警官',
        disposedAt: at,
        dispositions: [...dispositions],
      }),
    );
    const page = await openPage();
    await page.locator('#rows tr').click();
    const told = await page.locator('.drawer section').filter({ hasText: '处置结果' }).locator('p').allTextContents();
    expect(told).toEqual([
      expect.stringMatching(/^联系不上.* 由 centre\/王警官 处置 · 三次未接通$/) as string,
      expect.stringMatching(/^劝阻成功.* 由 centre\/李警官 处置$/) as string,
    ]);
  });

  test('what the platform refuses is said in the language of the page, and the warning is read again', async () => {
    raise('1');
    // The stream tells nothing of what happens meanwhile.
    const page = await openPage({}, async (context) => {
      const frozen = { status: 200, contentType: 'text/event-stream', body: ': still here\n\n' };
      await context.route('**/v1/stream*', (route) => route.fulfill(frozen));
    });
    await page.evaluate(`sessionStorage.setItem('huqi.key', '${centreKey}')`);
    await page.locator('#rows tr').click();
    platform.raise(named('1', { revision: 2, status: 'disposed', verdict: 'fraud', note: '已处置' }));
    await page.getByRole('button', { name: '签收' }).click();
    const notice = page.locator('#notice.is-shown');
    await notice.waitFor();
    expect(await notice.textContent()).toBe('操作未完成：这条预警已处置或状态已变，请查看最新内容');
    await page.locator('#rows tr').getByText('确认诈骗').waitFor();
  });

  test('the condition of a pattern is read when somebody wants to see it', async () => {
    raise('1');
    const page = await openPage();
    await page.locator('#rows tr').click();
    await page.getByText('判定条件').click();
    await page.getByText('newPayee("180d")').waitFor();
  });

  test('a suspected mule is marked as not to be told', async () => {
    platform.raise(named('1', { side: 'mule' }));
    const page = await openPage();
    await page.locator('#rows tr').click();
    await page.getByText('不得告知该账户持有人').waitFor();
  });

  test('so is a firm on the victim’s side that is suspected itself', async () => {
    platform.raise(named('1', { suspected: true }));
    const page = await openPage();
    await page.locator('#rows tr').click();
    await page.getByText('不得告知该账户持有人').waitFor();
  });

  test('a red warning is announced to screen readers', async () => {
    const page = await openPage();
    raise('1');
    await page.getByRole('alert').getByText('红色预警：企业1有限公司，98万元，冒充领导诈骗财务').waitFor({ state: 'attached' });
  });
});

describe('the page', () => {
  test('asks for a key where reading is closed, and keeps it in this tab only', async () => {
    await server.close();
    await start({ openReading: false });
    raise('1');
    const page = await openPage();
    await page.getByLabel('密钥', { exact: true }).fill(centreKey);
    await page.keyboard.press('Enter');
    await page.getByText('企业1有限公司').waitFor();
    expect(await page.evaluate('[JSON.stringify(localStorage), document.cookie]')).toEqual(['{}', '']);
  });

  test('a key that is entered by mouse shows the warnings that wait, though the pointer is then on the empty list', async () => {
    await server.close();
    await start({ openReading: false });
    raise(...Array.from({ length: 60 }, (_, i) => `${i}`));
    const page = await openPage();
    await page.getByLabel('密钥', { exact: true }).fill(centreKey);
    await page.getByRole('button', { name: '保存并继续' }).click();
    await page.locator('#rows tr').first().waitFor();
    expect(await page.getByText('暂无预警').count()).toBe(0);
    await page.locator('#rows tr').nth(59).waitFor();
    await filled(page);
    expect(await page.locator('#resume').isHidden()).toBe(true);
  });

  test('a key that is asked for while the help is open counts', async () => {
    raise('1');
    const page = await openPage();
    await page.locator('#rows tr').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: '键盘操作' }).waitFor();
    await server.close();
    await start({ port, openReading: false });
    await page.getByLabel('密钥', { exact: true }).fill(centreKey);
    await page.keyboard.press('Enter');
    await page.locator('#connection.is-live').waitFor();
    expect(await page.locator('#dialog').isHidden()).toBe(true);
  });

  test('the button for the key explains; only a refused key is a problem', async () => {
    const page = await openPage();
    await page.getByRole('button', { name: '密钥' }).click();
    expect(await page.locator('#dialog .small').textContent()).toContain('密钥由反诈中心管理员发放');
    expect(await page.locator('#dialog .problem').count()).toBe(0);
  });

  test('a filter that lets nothing through tells of those that wait', async () => {
    raise('1');
    const page = await openPage();
    await page.locator('#rows tr').waitFor();
    await filled(page);
    await page.locator('#freeze').click();
    await page.getByRole('button', { name: '蓝色' }).click();
    platform.raise(named('2', { level: 'blue' }));
    await page.locator('#no-warnings').getByRole('button', { name: '继续（1条新预警）' }).click();
    await page.getByText('企业2有限公司').waitFor();
  });

  test('has no serious accessibility violation in any of its states, in both languages', async () => {
    const page = await openPage();
    await page.getByText('暂无预警').waitFor();
    expect(await seriousViolations(page), 'empty').toEqual([]);
    sampleWarnings().forEach((warning) => platform.raise(warning));
    await page.locator('#rows tr').nth(15).waitFor();
    expect(await seriousViolations(page), 'feed').toEqual([]);
    await page.locator('#rows tr').nth(2).click();
    expect(await seriousViolations(page), 'drawer').toEqual([]);
    await page.getByRole('button', { name: '处置' }).click();
    expect(await seriousViolations(page), 'disposition').toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('Boss impersonation of finance staff').first().waitFor();
    expect(await page.evaluate('document.documentElement.lang')).toBe('en');
    expect(await seriousViolations(page), 'English').toEqual([]);
    await page.getByRole('button', { name: 'Keyboard help' }).click();
    expect(await seriousViolations(page), 'help').toEqual([]);
    expect(errors).toEqual([]);
  });

  test('the address names the open warning and the filters: Back closes, reload keeps, a colleague sees the same', async () => {
    raise('1', '2', '3');
    platform.raise(named('4', { level: 'blue' }));
    const page = await openPage();
    await page.locator('#rows tr').nth(3).waitFor();
    const heading = page.locator('.drawer h2');
    await page.getByRole('button', { name: '红色' }).click();
    await page.getByRole('searchbox').fill('企业');
    await page.locator('#rows tr').nth(1).click();
    await page.waitForURL(/warning=2&level=red/);
    await page.reload();
    await heading.getByText('企业2有限公司').waitFor();
    expect(await rowNames(page)).toEqual(['企业3有限公司', '企业2有限公司', '企业1有限公司']);
    expect(await page.getByRole('searchbox').inputValue()).toBe('企业');
    const other = await openPage({}, undefined, new URL(page.url()).hash);
    await other.locator('.drawer h2').getByText('企业2有限公司').waitFor();
    await page.keyboard.press('j');
    await heading.getByText('企业1有限公司').waitFor();
    await page.goBack();
    await heading.waitFor({ state: 'hidden' });
    expect(await rowNames(page)).toHaveLength(3);
    await page.goForward();
    await heading.getByText('企业1有限公司').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL(({ hash }) => !hash.includes('warning'));
    await page.locator('#rows tr').nth(0).click();
    await page.waitForURL(/warning=3/);
    await page.goBack();
    await heading.waitFor({ state: 'hidden' });
    expect(errors).toEqual([]);
  });

  test('a link opens a warning that the list no longer holds, and one to nothing says so', async () => {
    platform.raise(named('old', { status: 'acknowledged', raisedAt: '2026-01-01T00:00:00+08:00' }));
    for (let i = 0; i < 510; i++) platform.raise(named(`${i}`, { status: 'acknowledged' }));
    const page = await openPage({}, undefined, '#warning=old');
    await page.locator('.drawer h2').getByText('企业old有限公司').waitFor();
    await page.getByRole('button', { name: '关闭' }).click();
    await page.waitForURL(({ hash }) => hash === '');
    await page.goto(`${url}#warning=gone`);
    await page.getByText('链接所指的预警不存在').waitFor();
    await page.waitForURL(({ hash }) => hash === '');
  });

  test('what the drawer prints of the other party can be searched for', async () => {
    raise('1');
    const other = makeWarning('2').hits[0]!;
    platform.raise(named('2', { hits: [{ ...other, counterparty: { account: '6210980012347243', name: '吕小梅' } }] }));
    const page = await openPage();
    for (const text of ['7243', '吕*', '吕** 7243']) {
      await page.getByRole('searchbox').fill(text);
      expect(await rowNames(page), text).toEqual(['企业2有限公司']);
    }
  });

  test('loads nothing from anywhere but the platform', async () => {
    const page = await openPage();
    const hosts = new Set<string>();
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.reload();
    await page.locator('#connection.is-live').waitFor();
    expect([...hosts]).toEqual([new URL(url).host]);
  });

  test.each([
    [360, 740],
    [640, 400],
    [768, 1024],
    [1280, 800],
    [1920, 1080],
  ])('amount, scheme and status are in sight on a screen %i wide and %i high, beside the drawer too', async (width, height) => {
    sampleWarnings().forEach((warning) => platform.raise(warning));
    const page = await openPage({ viewport: { width, height } });
    await page.locator('#rows tr').nth(15).waitFor();
    const row = page.locator('#rows tr').filter({ hasText: '涉诈账户' }).first();
    const check = async (state: string) => {
      const overflow = await page.evaluate(
        `[document.documentElement, document.getElementById('feed')].map((e) => e.scrollWidth - e.clientWidth)`,
      );
      expect(overflow, state).toEqual([0, 0]);
      for (const part of ['.badge', '.c-amount .main', '.c-reason .main', '.countdown', '.status']) {
        const box = await row.locator(part).boundingBox();
        expect(box && box.width > 20 && box.x >= 0 && box.x + box.width <= width, `${state} ${part}`).toBe(true);
      }
      const clipped = await row.locator('.c-reason .main').evaluate((cell) => cell.scrollWidth > cell.clientWidth);
      expect(clipped, state).toBe(false);
    };
    await check('list');
    const lines = await page.locator('.top-right > *').evaluateAll((parts) => parts.map((part) => part.clientHeight));
    expect(Math.max(...lines)).toBeLessThan(34);
    // The list is no slit: at least four rows are to be seen, or the page itself scrolls.
    const [list = 0, content] = await page.locator('#feed').evaluate((feed) => [feed.clientHeight, feed.scrollHeight]);
    expect(list === content || list > 300).toBe(true);
    await row.click();
    await page.locator('.drawer h2').waitFor();
    if (width > 900) await check('drawer');
    await page.getByRole('button', { name: '处置' }).click();
    await page.getByRole('textbox', { name: '核查说明' }).fill('已电话联系');
    for (const name of ['提交处置', '取消']) {
      const action = page.getByRole('button', { name });
      await action.scrollIntoViewIfNeeded();
      const box = await action.boundingBox();
      expect(box && box.y >= 0 && box.y + box.height <= height, name).toBe(true);
    }
  });

  test.each([
    [1440, 900, 'live-page.png', true],
    [1920, 1080, 'live-page-1920.png', true],
    [1440, 900, 'live-page-feed.png', false],
    [1440, 900, 'live-page-en.png', true],
  ])('fits a screen %i wide (%i high, %s)', async (width, height, name, isReading) => {
    sampleWarnings().forEach((warning) => platform.raise(warning));
    const page = await openPage({ viewport: { width, height } });
    await page.locator('#rows tr').nth(15).waitFor();
    await page.locator('.tile-open .figure').getByText('40').waitFor();
    if (name.includes('-en')) await page.getByRole('button', { name: 'English' }).click();
    if (isReading) await page.locator('#rows tr').first().click();
    await page.mouse.move(5, 5);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(overflow).toBe(0);
    const clipped = await page
      .locator('th, .c-level, .c-amount, .c-remaining, .c-status, .status, .tile .label')
      .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent));
    expect(clipped).toEqual([]);
    // Pictures change with every run (clock, countdowns): they are kept only when asked for.
    const directory = process.env['HUQI_IMAGES'];
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
    const picture = await page.screenshot(directory === undefined ? {} : { path: join(directory, name) });
    expect(picture.length).toBeGreaterThan(50_000);
  });
});
