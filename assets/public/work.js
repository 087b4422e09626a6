// The work that a sign-up does while very many come in: a text is sought so that the SHA-256 of
// "challenge:address:text" begins with so many zero bits (FIPS 180-4; a browser has its own only on https pages).
// Nothing leaves this page but what the form sends. Without this script a wait does the same.
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
const START = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const w = new Uint32Array(64);

function block(state, bytes, at) {
  for (let i = 0; i < 16; i++, at += 4)
    w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

// The first 32 bits of the digest: challenges ask for fewer.
function digestBegins(text) {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(((bytes.length + 8) >> 6) * 64 + 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8);
  const state = START.slice();
  for (let at = 0; at < padded.length; at += 64) block(state, padded, at);
  return state[0];
}

const TURN = 2000;
async function work(challenge, address, bits) {
  for (let n = 0; ; n += TURN) {
    for (let text = n; text < n + TURN; text++)
      if (Math.clz32(digestBegins(`${challenge}:${address}:${text}`)) >= bits) return String(text);
    await new Promise((next) => setTimeout(next));
  }
}

for (const form of document.querySelectorAll("form[data-challenge]")) {
  const { challenge, bits } = form.dataset;
  const done = form.querySelector("[data-work]");
  const said = form.querySelector("[data-working]");
  let busy = false;
  form.addEventListener("submit", async (event) => {
    if (done.value) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    if (said) said.textContent = said.dataset.working;
    done.value = await work(challenge, form.elements.email.value.trim(), Number(bits));
    form.querySelector("[data-token]").value = challenge;
    form.requestSubmit();
  });
  // Another address is other work.
  form.elements.email.addEventListener("input", () => { done.value = ""; busy = false; });
}
