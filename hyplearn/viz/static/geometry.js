// Plane hyperbolic geometry for the page. A point is [x, y] in the Poincare disk of curvature -c, so c|p|^2 < 1;
// every function takes c, and tests hold each of them to hyplearn's own. Angles are in radians.

const dot = (p, q) => p[0] * q[0] + p[1] * q[1];
const cross = (p, q) => p[0] * q[1] - p[1] * q[0];
const scale = (p, t) => [p[0] * t, p[1] * t];
const combine = (s, p, t, q) => [s * p[0] + t * q[0], s * p[1] + t * q[1]];
const negate = (p) => [-p[0], -p[1]];
export const unit = (p) => scale(p, 1 / (Math.hypot(...p) || 1));

/** p (+) q, the Mobius sum: the translation of the plane that takes the centre to p, applied to q. */
export function mobiusAdd(p, q, c) {
  // The textbook's denominator is a difference of numbers near 1 where p and q are far out and nearly opposite; written
  // with the gaps to the rim it has positive terms only, and a point that is brought home from the rim keeps its digits.
  const D = combine(1, p, 1, q), dd = c * dot(D, D), gap = 1 - c * dot(p, p);
  return scale(combine(dd, p, gap, D), 1 / (dd + gap * (1 - c * dot(q, q))));
}

/** Where q lies as seen from p: p is taken to the centre, and straight lines through p become diameters. */
export const seenFrom = (p, q, c) => mobiusAdd(negate(p), q, c);

export function distance(p, q, c) {
  const gap = (1 - c * dot(p, p)) * (1 - c * dot(q, q));
  return (2 * Math.asinh(Math.sqrt(c / gap) * Math.hypot(p[0] - q[0], p[1] - q[1]))) / Math.sqrt(c);
}

/** The point at distance d from p in the direction of the picture `direction`. */
export function travel(p, direction, d, c) {
  const s = Math.sqrt(c);
  return mobiusAdd(p, scale(unit(direction), Math.tanh((s * d) / 2) / s), c);
}

/** The point of the line through p and q whose distance from p, towards q, is t times that of q. */
export const along = (p, q, t, c) => travel(p, seenFrom(p, q, c), t * distance(p, q, c), c);

/** The ideal points of the line through p and q: the one behind p, the one beyond q. */
export function idealPoints(p, q, c) {
  const e = scale(unit(seenFrom(p, q, c)), 1 / Math.sqrt(c));
  return [negate(e), e].map((end) => mobiusAdd(p, end, c));
}

/** The foot of the perpendicular from p to the line through a and b. */
export function foot(p, a, b, c) {
  // Seen from p the line is an arc that p's perpendicular halves, and its nearest point is that of the chord in the
  // Klein disk, where the line is straight.
  const [e, f] = idealPoints(a, b, c).map((end) => unit(seenFrom(p, end, c)));
  return mobiusAdd(p, fromKlein(scale(combine(0.5, e, 0.5, f), 1 / Math.sqrt(c)), c), c);
}

/** Pi(d) = 2 atan exp(-sqrt(c) d): between the perpendicular of length d and each of the two limiting parallels. */
export const parallelAngle = (d, c) => 2 * Math.atan(Math.exp(-Math.sqrt(c) * d));

/** The angle at p of the triangle p, q, r. */
export function angle(p, q, r, c) {
  const u = seenFrom(p, q, c), v = seenFrom(p, r, c);
  return Math.atan2(Math.abs(cross(u, v)), dot(u, v));
}

/** Angles, their sum, sides (each opposite its vertex), defect and area = defect / c of a triangle. */
export function triangle(p, q, r, c) {
  const angles = [angle(p, q, r, c), angle(q, r, p, c), angle(r, p, q, c)];
  // pi - sum would lose every digit in a small triangle. With p at the centre the defect is the angle of the gyration
  // of u and -v, 2 arg(1 - c u conj(v)), which loses none.
  const u = seenFrom(p, q, c), v = seenFrom(p, r, c);
  const defect = 2 * Math.atan2(c * Math.abs(cross(u, v)), 1 - c * dot(u, v));
  const sides = [distance(q, r, c), distance(r, p, c), distance(p, q, c)];
  return { angles, sum: angles[0] + angles[1] + angles[2], sides, defect, area: defect / c };
}

// --- the other charts: Klein disk of radius 1/sqrt(c), upper half-plane with the disk's centre at (0, 1/sqrt(c)) ---

export const toKlein = (p, c) => scale(p, 2 / (1 + c * dot(p, p)));
// The root is clamped because an ideal point, rounded, may lie a hair outside of the disk.
export const fromKlein = (k, c) => scale(k, 1 / (1 + Math.sqrt(Math.max(0, 1 - c * dot(k, k)))));

/** The inversion that takes the disk's topmost ideal point to infinity; it keeps "up" and "right" at the centre. */
export function toHalfPlane(p, c) {
  const s = Math.sqrt(c), [x, y] = scale(p, s);
  const d = s * (x * x + (1 - y) * (1 - y));
  return [(2 * x) / d, (1 - x * x - y * y) / d];
}

export function fromHalfPlane(h, c) {
  const s = Math.sqrt(c), [x, y] = scale(h, s);
  const d = s * (x * x + (1 + y) * (1 + y));
  return [(2 * x) / d, (x * x + y * y - 1) / d];
}

/** The centre of the view in which the world's point p is seen at q: the a with (-a) (+) p = q. */
export function centreFor(p, q, c) {
  // In complex numbers (p - a) / (1 - c conj(a) p) = q is linear in a and conj(a).
  const k = combine(1, p, -1, q);
  const w = [p[0] * q[0] - p[1] * q[1], p[0] * q[1] + p[1] * q[0]];
  const wk = [dot(w, k), w[1] * k[0] - w[0] * k[1]]; // w conj(k)
  return scale(combine(1, k, c, wk), 1 / (1 - c * c * dot(w, w)));
}

/** The middle of the line with ideal points e and f: its point nearest to the centre. */
export const middle = (e, f, c) => fromKlein(combine(0.5, e, 0.5, f), c);
