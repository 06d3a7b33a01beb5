// Where a plate goes: near its box, off all faces, hands and other plates where there is room.

const covered = (one, other) => {
  const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  return across > 0 && down > 0 ? across * down : 0;
};

// Every place around a box, the best first: above it, below it, beside it, then inside at its top.
function around(box, size, gap) {
  const { x, y, width, height } = box;
  const right = x + width - size.width;
  const middle = x + (width - size.width) / 2;
  const [above, below] = [y - size.height - gap, y + height + gap];
  return [
    [x, above], [right, above], [middle, above], [x, below], [right, below], [middle, below],
    [x + width + gap, y], [x - size.width - gap, y],
    [x + width + gap, y + height - size.height], [x - size.width - gap, y + height - size.height],
    [x, above - size.height - gap], [right, above - size.height - gap], [x, below + size.height + gap], [x, y + gap],
  ];
}

// The place of a plate: {x, y, at}; `at` is its number among the places, to be given back as `before` in the next
// frame, so that a plate stays where it is as long as nothing better is free.
// box: what it belongs to; size: of the plate; room: {width, height} of the picture; gap: between plate and box;
// taken: [{x, y, width, height, weight}], what it should not cover, and how much that matters.
export function placeOf(box, size, room, gap, taken, before) {
  const places = around(box, size, gap).map(([x, y], at) => {
    const inside = {
      x: Math.max(gap / 2, Math.min(x, room.width - size.width - gap / 2)),
      y: Math.max(gap / 2, Math.min(y, room.height - size.height - gap / 2)),
    };
    const moved = Math.abs(inside.x - x) + Math.abs(inside.y - y);
    const cost = taken.reduce((sum, other) => sum + other.weight * covered({ ...inside, ...size }, other), 0);
    return { ...inside, at, cost: cost + covered({ ...inside, ...size }, box) / 2 + moved * gap };
  });
  const best = places.reduce((one, other) => (other.cost < one.cost ? other : one));
  const kept = places[before];
  return kept && kept.cost <= best.cost ? kept : best;
}
