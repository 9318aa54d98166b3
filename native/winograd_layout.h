#pragma once
#include "kernel.h"
#include "three_by_three.h"
#include "tiles.h"
#include "winograd.h"

/** Where Winograd's convolutions keep their operands: tiles of maps, their values at the points, and the weights. */
namespace limbeck {
namespace LIMBECK_ISA {

/** Columns of a panel of U. */
constexpr int64_t kPanel = 32;
/** Tiles in a block: their points, of 128 channels before and after the products, take 1.3 MB. */
constexpr int64_t kTiles = 32;
constexpr int kVectors = kAccumulators / kOuterRows;
/** Channels transformed together: those of a cache line, which is then read and written once. */
constexpr int64_t kGroup = 16;

/** An odd number of cache lines: rows that far apart fall into different sets of a cache. */
LIMBECK_INLINE int64_t odd_lines(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

/** The maps of one image `[channels, height, width]`; tiles see `padding` zeros around them. */
struct WinogradMaps {
  int64_t channels, height, width, padding;
  LIMBECK_INLINE int64_t size() const { return channels * height * width; }
  LIMBECK_INLINE int64_t groups() const { return ceil_div(channels, kGroup); }
};

/** Values at the 36 points: of each a matrix with a row of channels for every tile. */
struct Points {
  float* data;
  int64_t row;    // floats from one tile to the next
  int64_t point;  // and from one point to the next
};

/** What is handed to the workers of the pool one at a time. */
enum class Sharing { kNothing, kMembers, kBlocks, kPoints };

struct Winograd : ThreeByThree {
  int64_t rows, columns, tiles;  // of tiles in an image
  int64_t images;                // of a block
  int64_t blocks;

  explicit Winograd(const Step& step)
      : ThreeByThree(step),
        rows(ceil_div(OH, 4)),
        columns(ceil_div(OW, 4)),
        tiles(rows * columns) {
    blocks = ceil_div(N, max(1, kTiles / tiles));
    images = ceil_div(N, blocks);
    blocks = ceil_div(N, images);
  }

  /**
   * Blocks or members that one worker computes from maps to maps stay in its own cache; where there are too few of them for all
   * threads, these share the points of one block after the other.
   */
  LIMBECK_INLINE Sharing sharing(int64_t threads, int64_t pieces) const {
    if (threads == 1 || P * N * tiles * kPoints * C * OC < 2 * kGrain) return Sharing::kNothing;
    const auto fits = [=](int64_t count) { return count > 1 && 4 * count >= 3 * threads * ceil_div(count, threads); };
    if (pieces >= 4 * threads) return Sharing::kBlocks;
    if (fits(P)) return Sharing::kMembers;
    return fits(pieces) ? Sharing::kBlocks : Sharing::kPoints;
  }

  LIMBECK_INLINE WinogradMaps x() const { return {C, H, W, padding}; }
  LIMBECK_INLINE WinogradMaps y() const { return {OC, OH, OW, 0}; }
  LIMBECK_INLINE int64_t row(const WinogradMaps& maps) const { return odd_lines(maps.channels); }
  LIMBECK_INLINE int64_t point(const WinogradMaps& maps) const { return odd_lines(images * tiles * row(maps)); }
  LIMBECK_INLINE Points points(const WinogradMaps& maps, float* data) const { return {data, row(maps), point(maps)}; }
  /** Floats of scratch: all points of a block, and what a worker needs to transpose maps. */
  LIMBECK_INLINE int64_t block(const WinogradMaps& maps) const { return kPoints * point(maps); }
  LIMBECK_INLINE int64_t turned() const { return ((4 * rows + 2) * (4 * columns + 2) + kLanes) * kGroup; }
};

/**
 * kLanes channels of x from c0 on as vectors of `[rows, columns]` pixels, kGroup floats apart, zeros around. May write
 * kLanes - 1 pixels more.
 */
inline void turn_in(const WinogradMaps& maps, const float* x, int64_t c0, int64_t rows, int64_t columns, float* turned) {
  const int64_t channels = min(kLanes, maps.channels - c0), plane = maps.height * maps.width;
  const int64_t padding = maps.padding, width = min(maps.width, columns - padding);
  for (int64_t row = 0; row < rows; row++, turned += columns * kGroup) {
    const int64_t h = row - padding;
    const bool outside = h < 0 || h >= maps.height || channels <= 0;
    for (int64_t column = 0; column < (outside ? columns : padding); column++) store(turned + column * kGroup, zero());
    if (outside) continue;
    const float* from = x + c0 * plane + h * maps.width;
    for (int64_t w = 0; w < width; w += kLanes) {
      const int64_t n = width - w;
      Vec square[kLanes];
      if (channels == kLanes && n >= kLanes) {
        LIMBECK_UNROLL
        for (int c = 0; c < kLanes; c++) square[c] = load(from + c * plane + w);
      } else {
        for (int64_t c = 0; c < kLanes; c++)
          square[c] = c < channels ? load_partial(from + c * plane + w, min(n, kLanes)) : zero();
      }
      transpose(square);
      LIMBECK_UNROLL
      for (int i = 0; i < kLanes; i++) store(turned + (padding + w + i) * kGroup, square[i]);
    }
    for (int64_t column = padding + width; column < columns; column++) store(turned + column * kGroup, zero());
  }
}

/** The inverse: writes or adds the pixels outside the padding, with a bias, to y. */
inline void turn_out(const WinogradMaps& maps, const float* turned, int64_t columns, int64_t c0, const float* bias, bool add,
                     float* y) {
  const int64_t channels = min(kLanes, maps.channels - c0), plane = maps.height * maps.width;
  if (channels <= 0) return;
  const Vec b = bias ? load_partial(bias + c0, channels) : zero();
  for (int64_t h = 0; h < maps.height; h++) {
    const float* from = turned + ((h + maps.padding) * columns + maps.padding) * kGroup;
    float* to = y + c0 * plane + h * maps.width;
    for (int64_t w = 0; w < maps.width; w += kLanes) {
      const int64_t n = maps.width - w;
      Vec square[kLanes];
      LIMBECK_UNROLL
      for (int i = 0; i < kLanes; i++) square[i] = load(from + (w + i) * kGroup) + b;
      transpose(square);
      if (channels == kLanes && n >= kLanes) {
        LIMBECK_UNROLL
        for (int c = 0; c < kLanes; c++) {
          float* p = to + c * plane + w;
          store(p, add ? load(p) + square[c] : square[c]);
        }
      } else {
        for (int64_t c = 0; c < channels; c++) {
          float* p = to + c * plane + w;
          const int64_t lanes = min(n, kLanes);
          store_partial(p, add ? load_partial(p, lanes) + square[c] : square[c], lanes);
        }
      }
    }
  }
}

/** The tiles of a transposed map to points. Lambdas capture by value: stores might alias what is captured by reference. */
template <class Transform>
inline void tiles_to_points(const float* turned, int64_t rows, int64_t columns, float* to, int64_t row, int64_t point) {
  const int64_t width = (4 * columns + Transform::kFrom - 4) * kGroup;
  for (int64_t r = 0; r < rows; r++, turned += 4 * width) {
    for (int64_t c = 0; c < columns; c++, to += row) {
      for (int64_t v = 0; v < kGroup; v += kLanes) {
        const float* tile = turned + 4 * c * kGroup + v;
        float* next = to + v;
        transform<Transform>([=](int i, int j) { return load(tile + i * width + j * kGroup); },
                             [&](int, int, Vec value) {
                               store(next, value);
                               next += point;
                             });
      }
    }
  }
}

/** Points to the tiles of a transposed map; where tiles overlap they are added up. */
template <class Transform>
inline void tiles_from_points(const float* from, int64_t row, int64_t point, int64_t rows, int64_t columns, float* turned) {
  constexpr int64_t kOverlap = Transform::kTo - 4;
  const int64_t width = (4 * columns + kOverlap) * kGroup;
  if (kOverlap)
    for (int64_t i = 0; i < (4 * rows + kOverlap) * width; i += kLanes) store(turned + i, zero());
  for (int64_t r = 0; r < rows; r++, turned += 4 * width) {
    for (int64_t c = 0; c < columns; c++, from += row) {
      for (int64_t v = 0; v < kGroup; v += kLanes) {
        float* tile = turned + 4 * c * kGroup + v;
        transform<Transform>([=](int i, int j) { return load(from + v + (i * 6 + j) * point); },
                             [=](int i, int j, Vec value) {
                               float* p = tile + i * width + j * kGroup;
                               store(p, kOverlap ? load(p) + value : value);
                             });
      }
    }
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
