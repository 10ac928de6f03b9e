// The nearest neighbours of a leaf's eight points, for one kind of processor: leaf.c includes this with NAME(x),
// and LANES, how many doubles lie in a register (4 or 8). Every build adds in the same order and fuses nothing, so
// that results are the same on every machine.

typedef double NAME(d) __attribute__((vector_size(8 * LANES), aligned(8)));
typedef int64_t NAME(i) __attribute__((vector_size(8 * LANES), aligned(8)));
#define d NAME(d)
#define i NAME(i)
#define SELECT(mask, a, b) (d)(((mask) & (i)(a)) | (~(mask) & (i)(b)))

// Compares the eight with the points of a leaf, one point after the other.
static inline __attribute__((always_inline)) void
NAME(compare)(const tp_leaf_tree *tree, lanes8 *q, const double *own, size_t number,
              const int maximum) {
  const size_t dimension = tree->dimension;
  const double *leaf = tree->leaves + 8 * dimension * number;
  for (size_t p = 0; p < 8; p++) {
    if (leaf[p] == __builtin_inf()) continue;
    const int64_t member = tree->members[8 * number + p];
    const int64_t stamp = tree->stamps ? tree->stamps[member] : member;
    for (size_t part = 0; part < 8; part += LANES) {
      d total = {0};
      for (size_t c = 0; c < dimension; c++) {
        d difference = *(const d *)(own + 8 * c + part) - leaf[8 * c + p];
        if (maximum) {
          difference = (d)((i)difference & INT64_MAX);
          total = SELECT((i)(total > difference), total, difference);
        } else {
          total += difference * difference;
        }
      }
      d best = *(d *)(q->best + part);
      i near = (i)(total <= best), any = near;
      for (size_t lane = 1; lane < LANES; lane++) any[0] |= any[lane];
      if (!any[0]) continue;
      i index = *(i *)(q->index + part), apart = *(const i *)(q->times + part) - stamp;
      near &= (i)(total < best) | (index > member);
      near &= (apart > tree->window) | (apart < -tree->window);
      if (tree->skips_zero) near &= (i)(total > 0);
      *(d *)(q->best + part) = SELECT(near, total, best);
      *(i *)(q->index + part) = (near & member) | (~near & index);
    }
  }
}

// The largest distance of the eight, a little rounded up, in the measure of boxes.
static inline __attribute__((always_inline)) float
NAME(reach)(const tp_leaf_tree *tree, const lanes8 *q) {
  double most = q->best[0];
  for (size_t lane = 1; lane < 8; lane++) most = q->best[lane] > most ? q->best[lane] : most;
  // A sum of single floats is off by 6e-8 of itself for each addition at most.
  return (float)(most * tree->measure) * (1 + 1e-5f + 6e-8f * (float)tree->dimension) + 1e-36f;
}

// Distance between two boxes, or somewhat less: squared if Euclidean.
static inline __attribute__((always_inline)) float
NAME(gap)(const tp_leaf_tree *tree, const float *a, const float *b, const int maximum) {
  f8 total = {0};
  for (size_t c = 0; c < tree->width; c += 8, a += 16, b += 16) {
    f8 above = *(const f8 *)a - *(const f8 *)(b + 8), below = *(const f8 *)b - *(const f8 *)(a + 8);
    f8 away = LARGER(above, below);
    away = LARGER(away, (f8){0});
    total = maximum ? LARGER(total, away) : total + away * away;
  }
  f4 half = maximum ? LARGER4(LOW4(total), HIGH4(total)) : LOW4(total) + HIGH4(total);
  f4 turned = __builtin_shufflevector(half, half, 2, 3, 2, 3);
  half = maximum ? LARGER4(half, turned) : half + turned;
  return maximum ? (half[0] > half[1] ? half[0] : half[1]) : half[0] + half[1];
}

// Climbs from the leaf to the root; at each step down into the other half where that may hold something nearer.
static inline __attribute__((always_inline)) void
NAME(walk)(const tp_leaf_tree *tree, lanes8 *q, size_t number, const int maximum) {
  const size_t size = 2 * tree->width, first = (size_t)1 << tree->depth;
  const double *own = tree->leaves + 8 * tree->dimension * number;
  const float *box = tree->boxes + size * (first + number);
  struct {
    size_t node;
    float away;
  } later[64];
  NAME(compare)(tree, q, own, number, maximum);
  float reach = NAME(reach)(tree, q);
  for (size_t up = first + number; up > 1; up >>= 1) {
    size_t count = 0, node = up ^ 1;
    if (NAME(gap)(tree, box, tree->boxes + size * node, maximum) > reach) continue;
    for (;;) {
      while (node < first) {
        node *= 2;
        const float *child = tree->boxes + size * node;
        float near = NAME(gap)(tree, box, child, maximum);
        float far = NAME(gap)(tree, box, child + size, maximum);
        if (far < near) {
          float other = near;
          near = far;
          far = other;
          node++;
        }
        if (far <= reach) {
          later[count].node = node ^ 1;
          later[count++].away = far;
        }
        if (near > reach) break;
      }
      if (node >= first) {
        NAME(compare)(tree, q, own, node - first, maximum);
        reach = NAME(reach)(tree, q);
      }
      while (count > 0 && later[count - 1].away > reach) count--;
      if (count == 0) break;
      node = later[--count].node;
    }
  }
}

static void NAME(search)(const tp_leaf_tree *tree, lanes8 *q, size_t number) {
  if (tree->is_maximum) {
    NAME(walk)(tree, q, number, 1);
  } else {
    NAME(walk)(tree, q, number, 0);
  }
}

#undef d
#undef i
#undef SELECT
#undef LANES
#undef NAME
