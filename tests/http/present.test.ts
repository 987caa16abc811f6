import { describe, expect, test } from 'vitest';
import { maskHolderName, maskText } from '../../src/domain/privacy.js';
import { presentWarning } from '../../src/http/present.js';
import { presentedWarningSchema } from '../../src/http/schemas.js';
import { account, counterpartyAccount, makeWarning } from './support.js';

describe('a warning as it leaves the platform', () => {
  test('shows no account, phone or ID number whole, wherever it stands', () => {
    const said = `卡号${counterpartyAccount}，身份证41010519900101123X，电话13812345678`;
    const at = '2026-07-01T10:00:00+08:00';
    const warning = makeWarning('w1', {
      note: said,
      appeal: { by: '华信', text: said, at },
      dispositions: [
        { verdict: 'false-alarm', note: said, by: '李警官', at },
        { verdict: 'fraud', by: '王警官', at },
      ],
    });
    const shown = JSON.stringify(presentWarning({ ...warning, reason: { zh: said, en: said } }));
    for (const whole of [account, counterpartyAccount, '41010519900101123', '13812345678', '张三丰'])
      expect(shown).not.toContain(whole);
    expect(shown).toContain('91410100MA44X2Y35K');
    expect(presentWarning(warning).dispositions?.map(({ by }) => by)).toEqual(['李警官', '王警官']);
  });

  test('names no person whole in a reason either, whoever is named there', () => {
    const warning = makeWarning('w1');
    const [hit] = warning.hits;
    const said = { zh: '首次向张三丰付款3.43万元', en: 'First payment to 张三丰' };
    const shown = presentWarning({ ...warning, reason: said, hits: [{ ...hit!, reason: said }] });
    for (const { zh, en } of [shown.reason, shown.hits[0]!.reason]) {
      expect(zh).toBe('首次向张**付款3.43万元');
      expect(en).toBe('First payment to 张**');
    }
  });

  test('an account that stands for an enterprise without a credit code is masked as key and as name', () => {
    const { subject } = presentWarning(makeWarning('w1', { subject: { key: account, name: account, account } }));
    expect(subject).toEqual({ key: '4100***********2345', name: '4100***********2345', account: '4100***********2345' });
  });

  test.each([
    ['device:4f31aa90bc', 'device', '4f31**90bc'],
    ['device:e4c1067c', 'device', '******7c'],
    ['ip:203.0.113.77', 'ip', '203.****3.77'],
    ['operator:袁文6873', 'operator', '袁*****'],
    ['legal-rep:李某', 'legal-rep', '李*'],
    ['legal-rep:rep-13493521', 'legal-rep', 'rep-****3521'],
    ['phone:13812345678', 'phone', '****5678'],
    ['address:郑州市金水区花园路1号', 'address', '郑**********'],
  ] as const)('what several enterprises share, %s, is named and masked', (key, kind, value) => {
    const { subject } = makeWarning('w1');
    const shown = presentWarning(makeWarning('w1', { subject: { ...subject, key } })).subject;
    expect(shown).toMatchObject({ key: `${kind}:${value}`, shared: { kind, value } });
    expect(presentWarning(makeWarning('w1')).subject).not.toHaveProperty('shared');
  });

  test('a hit that a reference record led to has no other party', () => {
    const [hit] = makeWarning('w1').hits;
    if (!hit) throw new Error('the warning has no hit');
    const { counterparty: _, ...alone } = { ...hit, amountFen: 0 };
    expect(presentWarning(makeWarning('w1', { hits: [alone] })).hits[0]).not.toHaveProperty('counterparty');
  });

  test('says that the holder is suspected, so that whoever reads it tells it nothing', () => {
    expect(presentedWarningSchema.parse(presentWarning(makeWarning('w1', { suspected: true })))).toMatchObject({
      suspected: true,
    });
    expect(presentWarning(makeWarning('w1'))).not.toHaveProperty('suspected');
  });

  test.each([
    ['corporate', '农民工工资代发', '农民工工资代发'],
    ['corporate', '工资代发6217000012345678', '工资代发6217********5678'],
    ['personal', '李中心', '李**'],
    [undefined, '农民工工资代发', '农******'],
  ] as const)('a holder of kind %s with the name %s is shown as %s', (kind, name, shown) => {
    const said = kind === undefined ? {} : { kind };
    const [hit] = makeWarning('w1').hits;
    const warning = makeWarning('w1', {
      subject: { key: account, name, account, ...said },
      hits: [{ ...hit!, counterparty: { account: counterpartyAccount, name, ...said } }],
      reason: { zh: `向${name}付款`, en: '-' },
    });
    const presented = presentWarning(warning);
    expect([presented.subject.name, presented.hits[0]!.counterparty?.name]).toEqual([shown, shown]);
    expect(presented.reason.zh).toBe(`向${shown}付款`);
  });

  test('masks what people noted on acknowledging', () => {
    const acknowledgedAgain = [{ by: 'Li', at: '2026-07-01T09:31:00+08:00', note: 'rang 13812345678' }];
    const presented = presentWarning(makeWarning('w1', { acknowledgedAgain }));
    expect(presented.acknowledgedAgain).toMatchObject([{ by: 'Li', note: 'rang 138****5678' }]);
  });

  test('leaves the warning itself untouched', () => {
    const warning = makeWarning('w1');
    const before = structuredClone(warning);
    presentWarning(warning);
    expect(warning).toEqual(before);
  });

  test.each([
    ['张三', '张*'],
    ['欧阳修文', '欧***'],
    ['阿依古丽·买买提', '阿*******'],
    ['郑州华信商贸有限公司', '郑州华信商贸有限公司'],
    ['开封祥瑞建材经营部', '开封祥瑞建材经营部'],
    ['华信公司(郑州)', '华信公司(郑州)'],
    ['郑州华信建设有限公司农民工工资专用账户', '郑州华信建设有限公司农民工工资专用账户'],
    ['华信建设工资专户', '华信建设工资专户'],
    ['华信建设代发工资帐户(郑州)', '华信建设代发工资帐户(郑州)'],
    ['Acme Trading Co., Ltd.', 'Acme Trading Co., Ltd.'],
    ['John Smith', 'J*********'],
    ['6217000012345678公司', '6217********5678公司'],
  ])('the name %s is shown as %s', (name, shown) => {
    expect(maskHolderName(name)).toBe(shown);
  });

  test.each([
    ['付款98万元，12倍', '付款98万元，12倍'],
    ['流水20260701-000001', '流水20260701-000001'],
    ['12345678901', '12345678901'],
    ['123456789012', '1234****9012'],
    ['拨打13812345678', '拨打138****5678'],
    ['拨打138-1234-5678或139 8765 4321', '拨打138****5678或139****4321'],
    ['卡6217 0000 1234 5678 901', '卡6217***********8901'],
    ['卡６２１７００００１２３４５６７８', '卡6217********5678'],
    ['证410105-19900101-123X', '证4101**********123X'],
    ['2026-07-01 10:00，1,234,567.00元', '2026-07-01 10:00，1,234,567.00元'],
  ])('of the text %s what is shown is %s', (text, shown) => {
    expect(maskText(text)).toBe(shown);
  });
});
