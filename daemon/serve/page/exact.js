// JSON in which numbers keep the digits that the server sent: 1.0 stays a decimal, 2^60 stays itself.
export class Exact {
  constructor(digits) {
    this.digits = digits;
  }
  toString() {
    return this.digits;
  }
}

export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source
      ? new Exact(context.source)
      : value);
}

export function isNumber(value) {
  return typeof value === 'number' || value instanceof Exact;
}

export function print(value) {
  if (value instanceof Exact) return value.digits;
  if (Array.isArray(value)) return `[${value.map(print).join(', ')}]`;
  if (value !== null && typeof value === 'object')
    return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${print(inner)}`).join(', ')}}`;
  return JSON.stringify(value);
}
