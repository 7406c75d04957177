import fc from 'fast-check';

/** A lone surrogate, which no UTF-8 text can hold. */
export const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Any code point, lone surrogates too, the first planes more often. fast-check's own `binary` takes seconds to set up. */
export const anyCharacter: fc.Arbitrary<string> = fc
  .oneof(fc.integer({ max: 0x7f, min: 0 }), fc.integer({ max: 0xffff, min: 0 }), fc.integer({ max: 0x10ffff, min: 0 }))
  .map((cp) => String.fromCodePoint(cp));

/** Any string. */
export const anyText: fc.Arbitrary<string> = fc.array(anyCharacter, { maxLength: 20 }).map((parts) => parts.join(''));
