/**
 * Texts of payments made comparable with words: however a sender writes `USDT` or `保证金`, in full width, in capitals, with spaces or
 * with signs that nobody sees between the characters, or in traditional characters, it is the same word.
 */

/** Spaces, control and format characters, variation selectors and the like. */
const ignored = /[\p{Z}\p{Cc}\p{Cf}\p{DI}]/gu;

/**
 * Traditional characters, each followed by its simplified one: those whose simplified form the shipped patterns, the console or the
 * sample's remarks use. Source: TSCharacters of OpenCC 1.4.2 (Apache-2.0), without characters that GB 2312 has itself, since these
 * are written in simplified texts as well (著, 乾, 徵); 帳 besides, for which banks write 账.
 */
const traditional = [
  '並并佔占併并來来侷局係系俬私倉仓個个偉伟側侧偵侦傑杰備备傢家傭佣傳传傷伤僅仅價价儘尽償偿兌兑內内兩两冊册凍冻凱凯別别刪删',
  '則则剛刚創创劃划劉刘動动務务勞劳勵励勸劝匯汇區区協协卹恤卽即厤历參参吳吴呂吕員员唸念問问啓启啟启單单嘗尝噁恶噹当嚐尝嚮向',
  '嚴严國国圍围園园圖图團团埰采執执報报場场墊垫墻墙壞坏奬奖孫孙學学寀采實实審审寫写專专對对導导層层屬属峽峡嵐岚嶼屿嶽岳師师',
  '帳账帶带幣币幫帮幷并幾几庫库廠厂廣广弔吊張张強强彆别彔录彙汇從从復复惡恶愷恺態态憑凭應应戲戏戶户捨舍掃扫掛挂採采換换撥拨',
  '撫抚擇择擊击擔担據据擬拟攬揽敎教數数斷断昇升時时暢畅暫暂曆历曏向書书會会朮术東东査查條条棄弃楊杨業业極极構构樑梁樓楼標标',
  '樣样樺桦橋桥機机檔档檢检檯台櫃柜權权歷历歸归殺杀殻壳殼壳氣气沒没沖冲況况測测準准滙汇滯滞漢汉潔洁潤润澤泽濟济濤涛瀋沈瀾澜',
  '為为無无煙烟熱热營营爲为牆墙牽牵狀状獎奖獨独現现環环產产産产異异當当療疗發发盡尽監监盤盘眞真眾众硃朱碩硕確确碼码稅税稱称',
  '積积競竞筆笔箇个節节範范築筑篩筛簽签籤签糧粮糰团紀纪約约紅红納纳純纯級级紡纺終终組组結结絕绝絡络給给統统絶绝經经綫线維维',
  '網网緊紧線线編编緩缓緻致縣县總总績绩織织繞绕繫系繳缴繼继續续纍累纔才罰罚羅罗羣群義义聯联職职聽听脩修腦脑臺台與与舉举艷艳',
  '莊庄華华萬万葯药蓋盖蔘参蕭萧薦荐藍蓝藥药蘭兰處处虛虚號号衆众術术衕同衚胡衛卫衝冲裏里補补裝装裡里製制複复覈核見见規规視视',
  '親亲觸触訂订計计訓训託托記记訟讼訪访設设許许訴诉診诊註注証证詐诈評评詢询試试話话該该詳详誌志認认誘诱語语誠诚誤误說说説说',
  '誰谁課课調调請请諮咨講讲謝谢證证識识議议護护讀读變变讓让谿溪豔艳負负財财貨货責责貴贵買买貸贷費费貼贴貿贸賃赁資资賠赔賣卖',
  '質质賬账賭赌購购趙赵車车軍军軟软較较載载輸输轉转辦办農农迴回這这連连週周進进遊游運运過过達达違违遞递遠远適适遲迟遶绕遷迁',
  '選选遺遗還还邊边郵邮鄉乡鄧邓鄭郑醫医釋释針针鈅钥鈡钟銀银銘铭銷销錄录錢钱錦锦錯错録录錶表鍵键鍼针鍾钟鎖锁鏈链鐘钟鑑鉴鑒鉴',
  '鑰钥長长門门閉闭開开間间閤合闆板關关陞升陳陈陽阳隊队際际隨随險险隱隐隻只雙双電电靜静鞦秋韆千韓韩響响頁页頂顶項项須须頌颂',
  '預预領领頭头頻频題题額额願愿類类顧顾顯显風风颱台飲饮飾饰餘余馬马馮冯駐驻駿骏騙骗騰腾驗验驚惊體体髮发鬍胡鬚须鬱郁鶴鹤麗丽',
  '麪面麫面麵面麼么黃黄點点黨党齊齐齣出',
].join('');

const simplified = new Map<string, string>();
/** By character up to U+9FFF: 1 for a traditional one. */
const isTraditional = new Uint8Array(0xa000);
for (let i = 0; i < traditional.length; i += 2) {
  simplified.set(traditional[i]!, traditional[i + 1]!);
  isTraditional[traditional.charCodeAt(i)] = 1;
}
const traditionalCharacters = new RegExp(`[${[...simplified.keys()].join('')}]`, 'g');

/** NFKC, lower case, simplified characters, without spaces and signs that nobody sees. */
export function comparableText(text: string): string {
  const plain = text.normalize('NFKC').toLowerCase().replaceAll(ignored, '');
  return plain.replaceAll(traditionalCharacters, (character) => simplified.get(character)!);
}

/** What a byte that begins a character says of it: comparable, one of U+4000 to U+9FFF, or anything that may stand for others. */
const beginning = { plain: 0, han: 1, other: 2 } as const;
const beginnings = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0xe4 && byte <= 0xe9) return beginning.han;
  const isPlain = byte > 0x20 && byte < 0x7f && !(byte >= 0x41 && byte <= 0x5a);
  return isPlain ? beginning.plain : beginning.other;
});

/**
 * Whether the text (UTF-8) is known to be comparable as it is: simplified Han, digits, small ASCII letters and signs, which is how most
 * remarks come. False where a closer look is needed.
 */
export function isComparable(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const found = beginnings[bytes[at]!]!;
    if (found === beginning.plain) continue;
    if (found === beginning.other) return false;
    const code = ((bytes[at]! & 0x0f) << 12) | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f);
    if (isTraditional[code] === 1) return false;
    at += 2;
  }
  return true;
}
