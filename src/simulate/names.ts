import { hash32, itemAt } from './random.js';

/** Invented names: parts put together by a hash, so that one account always has one name. */

const brandFirst = Array.from('禾沐瑞衡拓昊铭盈博诚启朗泽嘉祥晟腾凯润卓聚佳景骏宸煦垚淳郁榆');
const brandSecond = Array.from('川辰航程越邦翔煜坤锦霖岳畅捷硕颂茂弘澜屿溪岚桥舟桐恺桦垣澄珩');
/** Combinations that stand for a well-known firm are not used. */
const knownBrands = new Set(['腾邦', '卓越', '瑞翔', '嘉澜', '博弘', '启辰', '凯翔', '瑞锦', '润锦', '祥茂']);

const trades = [
  '商贸',
  '建材',
  '机械设备',
  '食品',
  '农业科技',
  '物流',
  '建筑工程',
  '装饰工程',
  '电子科技',
  '化工',
  '纺织品',
  '包装材料',
  '医疗器械',
  '新能源科技',
  '环保设备',
  '五金机电',
  '粮油',
  '汽车配件',
  '文化传媒',
  '人力资源服务',
] as const;

export const retailTrades = ['百货', '超市', '餐饮管理', '生活服务', '便利店连锁', '药房连锁'] as const;

const surnames = Array.from('王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕');
const given = Array.from('伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文慧建国红梅斌宇浩凯雪琳晨博雅欣怡');

function brandName(hash: number): string {
  const brand = itemAt(brandFirst, hash) + itemAt(brandSecond, hash >>> 8);
  return knownBrands.has(brand) ? `${brand}豫` : brand;
}

/** `郑州禾川商贸有限公司`. */
export function enterpriseName(city: string, hash: number, tradeNames: readonly string[] = trades): string {
  const form = hash % 17 === 0 ? '股份有限公司' : '有限公司';
  return `${city}${brandName(hash32(hash, 11))}${itemAt(tradeNames, hash32(hash, 12))}${form}`;
}

export function personName(hash: number): string {
  const first = itemAt(given, hash32(hash, 21));
  const second = hash % 3 === 0 ? '' : itemAt(given, hash32(hash, 22));
  return `${itemAt(surnames, hash32(hash, 23))}${first}${second}`;
}
