/**
 * Server-sent events out of bytes that come in any pieces (WHATWG HTML, 9.2.6).
 *
 * @param {(block: {event?: string, data?: string, id?: string, retry?: string}) => void} onBlock
 *   called at each blank line, with the fields that came. Without `data` a block dispatches nothing, but its id and retry count
 * @returns {(bytes: Uint8Array) => boolean}  false when a block has grown beyond LIMIT characters: the response is of no use then
 */
export const LIMIT = 1 << 24;

export function createParser(onBlock) {
  const decoder = new TextDecoder();
  let block = {}, line = '', size = 0, afterCR;

  const endLine = (text) => {
    const [, name, value] = /([^:]*):? ?([^]*)/.exec(text);
    if (!text) {
      onBlock(block);
      block = {};
      size = 0;
    } else if (name !== 'id' || !/\0/.test(value)) block[name] = name === 'data' && name in block ? `${block.data}\n${value}` : value;
  };

  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true });
    if (text) {
      if (afterCR && text[0] === '\n') text = text.slice(1);
      afterCR = /\r$/.test(text);
    }
    size += text.length;
    const lines = text.split(/\r\n?|\n/);
    lines[0] = line + lines[0]; // engines join strings without copying: a long line is not looked at again with each piece
    line = lines.pop();
    lines.forEach(endLine);
    return size < LIMIT;
  };
}
