// The one policy through which text of our own server becomes HTML, or the address of a worker.
const plain = { createHTML: (text) => text, createScriptURL: (text) => text };
export const trusted = window.trustedTypes ? window.trustedTypes.createPolicy("tradewind", plain) : plain;
