// TensorFlow kernels in float32 for what stands between BERT's matrix products on a CPU: attention, GELU, and residual +
// dropout + layer norm, each forward and backward in one pass. Nothing of size [L, L] reaches memory. `ops/fused.ts`
// declares the same ops for the graph; @bertqa/model says what they compute.
//
// Written with the compilers' vector extensions: eight floats are one AVX register, or two of NEON.
#include <node_api.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

// From tensorflow/c/kernels.h, which includes a header that the wheels lack.
extern "C" {
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;
struct TF_KernelBuilder;
TF_KernelBuilder* TF_NewKernelBuilder(const char* op, const char* device, void* (*create)(TF_OpKernelConstruction*),
                                      void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void TF_RegisterKernelBuilder(const char* name, TF_KernelBuilder* builder, TF_Status* status);
void TF_OpKernelConstruction_GetAttrInt64(TF_OpKernelConstruction*, const char* name, int64_t* value, TF_Status*);
void TF_OpKernelConstruction_GetAttrFloat(TF_OpKernelConstruction*, const char* name, float* value, TF_Status*);
void TF_OpKernelConstruction_GetAttrBool(TF_OpKernelConstruction*, const char* name, unsigned char* value, TF_Status*);
void TF_OpKernelContext_Failure(TF_OpKernelContext*, TF_Status*);
void TF_GetInput(TF_OpKernelContext*, int index, TF_Tensor** tensor, TF_Status*);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext*, int index, TF_DataType, const int64_t* shape, int rank, size_t bytes,
                             TF_Status*);
TF_Tensor* TF_ForwardInputOrAllocateOutput(TF_OpKernelContext*, const int* candidates, int candidateCount, int index,
                                           const int64_t* shape, int rank, int* forwarded, TF_Status*);
}

namespace {

constexpr int kWidth = 8;
typedef float Floats __attribute__((vector_size(4 * kWidth)));
typedef int32_t Ints __attribute__((vector_size(4 * kWidth)));
typedef uint32_t Bits __attribute__((vector_size(4 * kWidth)));
using std::vector;

inline Floats all(float x) { return x - Floats{}; }
inline Floats load(const float* from) {
  Floats x;
  memcpy(&x, from, sizeof x);
  return x;
}
inline void store(float* to, Floats x) { memcpy(to, &x, sizeof x); }
inline float sum(Floats x) {
  float total = 0;
  for (int i = 0; i < kWidth; i++) total += x[i];
  return total;
}
// GCC does not find the one instruction in `x > y ? x : y`, whose second operand wins where one is no number.
#ifdef __AVX__
inline Floats larger(Floats x, Floats y) { return _mm256_max_ps(x, y); }
inline Floats smaller(Floats x, Floats y) { return _mm256_min_ps(x, y); }
#else
inline Floats larger(Floats x, Floats y) { return x > y ? x : y; }
inline Floats smaller(Floats x, Floats y) { return x < y ? x : y; }
#endif

// A count known while compiling, so that the loop over whole vectors has no partial loads.
struct Whole {
  constexpr operator int() const { return kWidth; }
};
inline Floats load(const float* from, Whole) { return load(from); }
inline Floats load(const float* from, int count) {
  Floats x = {};
  memcpy(&x, from, 4 * count);
  return x;
}
inline void store(float* to, Floats x, Whole) { store(to, x); }
inline void store(float* to, Floats x, int count) { memcpy(to, &x, 4 * count); }
template <class Body>
inline void eachVector(int64_t size, Body body) {
  int64_t i = 0;
  for (; i + kWidth <= size; i += kWidth) body(i, Whole());
  if (i < size) body(i, (int)(size - i));
}

// exp, Cephes' polynomial, within 2 units in the last place; exactly 0 below -87.
inline Floats exponential(Floats x) {
  const Ints tiny = x < -87.0f;
  x = smaller(larger(x, all(-87.0f)), all(88.0f));
  const Floats shifted = x * 1.44269504f + 12582912.0f;  // + 1.5 · 2²³ rounds to a whole number
  const Floats power = shifted - 12582912.0f;
  const Floats r = x - power * 0.693359375f + power * 2.12194440e-4f;
  Floats y = 1.9875691500e-4f * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  const Ints exponent = ((Ints)shifted - 0x4b400000) << 23;
  return (Floats)(~tiny & ((Ints)y + exponent));
}

// erf as a rational function of x (Eigen's coefficients), within 4e-7.
inline Floats errorFunction(Floats x) {
  x = smaller(larger(x, all(-4.0f)), all(4.0f));
  const Floats z = x * x;
  Floats p = -2.72614225801306e-10f * z + 2.77068142495902e-08f;
  for (float c : {-2.10102402082508e-06f, -5.69250639462346e-05f, -7.34990630326855e-04f, -2.95459980854025e-03f,
                  -1.60960333262415e-02f})
    p = p * z + c;
  Floats q = -1.45660718464996e-05f * z + -2.13374055278905e-04f;
  for (float c : {-1.68282697438203e-03f, -7.37332916720468e-03f, -1.42647390514189e-02f}) q = q * z + c;
  return x * p / q;
}

// Scaled dropout: 0 with the given probability. The bits are those of `randomBits` in ops/random.ts.
struct Dropout {
  uint32_t first, second, threshold;
  float scale;
  bool active;

  Dropout(const uint32_t* keys, float rate)
      : first(keys[0]), second(keys[1]), threshold((uint32_t)(rate * 4294967296.0)), scale(1 / (1 - rate)),
        active(rate > 0) {}

  // The factors of elements `index`, `index` + 1, …
  inline Floats factors(uint32_t index) const {
    Bits bits = (index + Bits{0, 1, 2, 3, 4, 5, 6, 7}) ^ first;
    bits = (bits ^ (bits >> 16)) * 0x7feb352dU;
    bits = (bits ^ (bits >> 15)) ^ second;
    bits *= 0x846ca68bU;
    bits ^= bits >> 16;
    return (Floats)((Ints)(bits >= threshold) & (Ints)all(scale));
  }
};

int threadCount() {
  const char* text = getenv("TF_NUM_INTRAOP_THREADS");
  return text ? std::max(1, atoi(text)) : 1;
}

// Calls body(thread, first, end) with equal parts of 0..count.
template <class Body>
void inParallel(int64_t count, int threads, Body body) {
  threads = (int)std::max<int64_t>(1, std::min<int64_t>(threads, count));
  vector<std::thread> others;
  for (int t = 1; t < threads; t++)
    others.emplace_back([=] { body(t, count * t / threads, count * (t + 1) / threads); });
  body(0, 0, count / threads);
  for (auto& other : others) other.join();
}

// Rows and vectors of the tile that the registers hold while a product runs.
constexpr int kRows = 6, kColumns = 2;
constexpr int kTile = kColumns * kWidth;
inline int64_t roundUp(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }

// c[rows, columns] (+)= a · b. Element (i, p) of a lies at a[i · aRow + p · aStep]; `rows` is a multiple of kRows, `columns`
// of kTile, b and c are row-major.
template <bool kAdd>
void product(const float* a, int64_t aRow, int64_t aStep, const float* b, int64_t bRow, float* c, int64_t cRow,
             int64_t rows, int64_t columns, int64_t inner) {
  for (int64_t j = 0; j < columns; j += kTile) {
    for (int64_t i = 0; i < rows; i += kRows) {
      Floats tile[kRows][kColumns];
#pragma GCC unroll 6
      for (int r = 0; r < kRows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < kColumns; v++) tile[r][v] = kAdd ? load(c + (i + r) * cRow + j + v * kWidth) : Floats{};
      const float* left = a + i * aRow;
      const float* right = b + j;
      for (int64_t p = 0; p < inner; p++, left += aStep, right += bRow) {
        const Floats b0 = load(right), b1 = load(right + kWidth);
#pragma GCC unroll 6
        for (int r = 0; r < kRows; r++) {
          const Floats x = all(left[r * aRow]);
          tile[r][0] += x * b0;
          tile[r][1] += x * b1;
        }
      }
#pragma GCC unroll 6
      for (int r = 0; r < kRows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < kColumns; v++) store(c + (i + r) * cRow + j + v * kWidth, tile[r][v]);
    }
  }
}

// What one call of a kernel reads and writes. The first error ends it.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    if (TF_GetCode(status_) != TF_OK) TF_OpKernelContext_Failure(context_, status_);
    for (TF_Tensor* tensor : outputs_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }
  template <class T = float>
  const T* input(int index) {
    return (const T*)read(index).data;
  }
  int64_t length(int index, int axis) { return read(index).shape[axis]; }
  // Null where memory ran out, and from then on. It takes the memory of input `reused`, where nobody else reads that.
  float* output(int index, vector<int64_t> shape, int reused = -1) {
    if (TF_GetCode(status_) != TF_OK) return nullptr;
    int64_t bytes = 4;
    for (int64_t length : shape) bytes *= length;
    int taken;
    TF_Tensor* made = reused < 0
                          ? TF_AllocateOutput(context_, index, TF_FLOAT, shape.data(), shape.size(), bytes, status_)
                          : TF_ForwardInputOrAllocateOutput(context_, &reused, 1, index, shape.data(), shape.size(),
                                                            &taken, status_);
    if (TF_GetCode(status_) != TF_OK) return nullptr;
    outputs_.push_back(made);
    return (float*)TF_TensorData(made);
  }

 private:
  struct Input {
    const void* data;
    vector<int64_t> shape;
  };
  const Input& read(int index) {
    while ((int)inputs_.size() <= index) {
      TF_Tensor* tensor = nullptr;
      TF_GetInput(context_, inputs_.size(), &tensor, status_);
      Input input{TF_TensorData(tensor), {}};
      for (int axis = 0; axis < TF_NumDims(tensor); axis++) input.shape.push_back(TF_Dim(tensor, axis));
      inputs_.push_back(input);
      // A reader, which would keep the memory from being reused. The call's context holds it as long as the call.
      TF_DeleteTensor(tensor);
    }
    return inputs_[index];
  }
  TF_OpKernelContext* context_;
  TF_Status* status_;
  vector<Input> inputs_;
  vector<TF_Tensor*> outputs_;
};

struct Attributes {
  int64_t heads = 1;
  float dropout = 0, epsilon = 0;
  bool isTraining = false, isApproximate = false;
};

// One head of one window: queries (scaled by 1/√D), keys and values with their biases, padded with zeros.
struct Head {
  int64_t L, D, H, rows, columns, depth;
  vector<float> q, k, v, kT, vT, mask;

  Head(int64_t tokens, int64_t headSize, int64_t width)
      : L(tokens), D(headSize), H(width), rows(roundUp(L, kRows)), columns(roundUp(L, kTile)),
        depth(roundUp(D, kTile)), q(rows * depth), k(columns * depth), v(columns * depth), kT(depth * columns),
        vT(depth * columns), mask(columns, -1e30f) {}

  void read(const float* product, const float* bias, const float* maskBias, int64_t window, int64_t head) {
    const float scale = 1 / std::sqrt((float)D);
    std::copy(maskBias + window * L, maskBias + (window + 1) * L, mask.begin());
    for (int64_t t = 0; t < L; t++) {
      const float* from = product + (window * L + t) * 3 * H + head * D;
      const float* b = bias + head * D;
      eachVector(D, [&](int64_t d, auto count) {
        store(&q[t * depth + d], (load(from + d, count) + load(b + d, count)) * scale, count);
        store(&k[t * depth + d], load(from + H + d, count) + load(b + H + d, count), count);
        store(&v[t * depth + d], load(from + 2 * H + d, count) + load(b + 2 * H + d, count), count);
      });
    }
  }
  void transpose(const vector<float>& from, vector<float>& to) const {
    for (int64_t t = 0; t < columns; t += kWidth)
      for (int64_t d = 0; d < D; d++) {
        Floats column;
        for (int i = 0; i < kWidth; i++) column[i] = from[(t + i) * depth + d];
        store(&to[d * columns + t], column);
      }
  }
};

// Inputs: product [N, 3H], bias [3H], mask bias [B, 1, 1, L], dropout keys [2].
// Outputs: context [N, H]; in training the logarithm of each softmax's denominator [B, A, L].
void attention(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *product_ = call.input(0), *bias = call.input(1), *maskBias = call.input(2);
  const Dropout dropout(call.input<uint32_t>(3), attributes.dropout);
  const int64_t B = call.length(2, 0), L = call.length(2, 3), H = call.length(0, 1) / 3, A = attributes.heads, D = H / A;
  float* output = call.output(0, {B * L, H});
  float* logSums = call.output(1, {attributes.isTraining ? B * A * L : 0});
  if (!output || !logSums) return;
  constexpr int64_t kBlock = 2 * kRows;
  inParallel(B * A, threadCount(), [&](int, int64_t first, int64_t end) {
    Head head(L, D, H);
    vector<float> scores(kBlock * head.columns), mixed(kBlock * head.depth);
    for (int64_t i = first; i < end; i++) {
      const int64_t window = i / A, a = i % A;
      head.read(product_, bias, maskBias, window, a);
      head.transpose(head.k, head.kT);
      for (int64_t q0 = 0; q0 < L; q0 += kBlock) {
        const int64_t rows = std::min(kBlock, head.rows - q0), real = std::min(kBlock, L - q0);
        product<false>(&head.q[q0 * head.depth], head.depth, 1, head.kT.data(), head.columns, scores.data(),
                       head.columns, rows, head.columns, D);
        for (int64_t r = 0; r < real; r++) {
          float* row = &scores[r * head.columns];
          Floats most = all(-INFINITY), total = {};
          for (int64_t j = 0; j < head.columns; j += kWidth) {
            const Floats x = load(row + j) + load(&head.mask[j]);
            store(row + j, x);
            most = larger(most, x);
          }
          float top = most[0];
          for (int l = 1; l < kWidth; l++) top = std::max(top, most[l]);
          for (int64_t j = 0; j < head.columns; j += kWidth) {
            const Floats x = exponential(load(row + j) - top);
            store(row + j, x);
            total += x;
          }
          const float denominator = sum(total), factor = 1 / denominator;
          const uint32_t index = (uint32_t)((i * L + q0 + r) * L);
          for (int64_t j = 0; j < head.columns; j += kWidth) {
            const Floats weights = load(row + j) * factor;
            store(row + j, dropout.active ? weights * dropout.factors(index + j) : weights);
          }
          if (attributes.isTraining) logSums[i * L + q0 + r] = top + std::log(denominator);
        }
        product<false>(scores.data(), head.columns, 1, head.v.data(), head.depth, mixed.data(), head.depth, rows,
                       head.depth, L);
        for (int64_t r = 0; r < real; r++)
          memcpy(output + (window * L + q0 + r) * H + a * D, &mixed[r * head.depth], 4 * D);
      }
    }
  });
}

// Inputs: gradient of the context [N, H]; then those of the forward pass, and its two outputs.
// Output: gradient of the product [N, 3H].
//
// With P the softmax, W what dropout leaves of it: the gradient of the scores is W∘dW − P·δ, δ = rowsum(dContext∘context)
// (FlashAttention, Dao 2022). P is computed again from the scores and the denominators.
void attentionGradient(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *gradient = call.input(0), *product_ = call.input(1), *bias = call.input(2), *maskBias = call.input(3);
  const Dropout dropout(call.input<uint32_t>(4), attributes.dropout);
  const float *output = call.input(5), *logSums = call.input(6);
  const int64_t B = call.length(3, 0), L = call.length(3, 3), H = call.length(0, 1), A = attributes.heads, D = H / A;
  float* result = call.output(0, {B * L, 3 * H});
  if (!result) return;
  constexpr int64_t kBlock = 4 * kRows;
  inParallel(B * A, threadCount(), [&](int, int64_t first, int64_t end) {
    Head head(L, D, H);
    const int64_t depth = head.depth, columns = head.columns, keyRows = roundUp(columns, kRows);
    // Columns of the blocks of scores as rows of their transposes: room for whole tiles.
    vector<float> probabilities(kBlock * keyRows), slopes(kBlock * keyRows), dOut(head.rows * depth), dQ(kBlock * depth);
    vector<float> dK(keyRows * depth), dV(keyRows * depth);
    const float scale = 1 / std::sqrt((float)D);
    for (int64_t i = first; i < end; i++) {
      const int64_t window = i / A, a = i % A;
      head.read(product_, bias, maskBias, window, a);
      head.transpose(head.k, head.kT);
      head.transpose(head.v, head.vT);
      std::fill(dK.begin(), dK.end(), 0.0f);
      std::fill(dV.begin(), dV.end(), 0.0f);
      for (int64_t t = 0; t < L; t++) memcpy(&dOut[t * depth], gradient + (window * L + t) * H + a * D, 4 * D);
      for (int64_t q0 = 0; q0 < L; q0 += kBlock) {
        const int64_t rows = std::min(kBlock, head.rows - q0), real = std::min(kBlock, L - q0);
        product<false>(&head.q[q0 * depth], depth, 1, head.kT.data(), columns, probabilities.data(), keyRows, rows, columns, D);
        product<false>(&dOut[q0 * depth], depth, 1, head.vT.data(), columns, slopes.data(), keyRows, rows, columns, D);
        for (int64_t r = 0; r < rows; r++) {
          float *p = &probabilities[r * keyRows], *s = &slopes[r * keyRows];
          if (r >= real) {
            std::fill(p, p + columns, 0.0f);
            std::fill(s, s + columns, 0.0f);
            continue;
          }
          const float* out = output + (window * L + q0 + r) * H + a * D;
          Floats products = {};
          eachVector(D, [&](int64_t d, auto count) { products += load(&dOut[(q0 + r) * depth + d], count) * load(out + d, count); });
          const float delta = sum(products);
          const float logSum = logSums[i * L + q0 + r];
          const uint32_t index = (uint32_t)((i * L + q0 + r) * L);
          for (int64_t j = 0; j < columns; j += kWidth) {
            const Floats x = exponential(load(p + j) + load(&head.mask[j]) - logSum);
            const Floats weights = dropout.active ? x * dropout.factors(index + j) : x;
            store(s + j, weights * load(s + j) - x * delta);
            store(p + j, weights);
          }
        }
        product<false>(slopes.data(), keyRows, 1, head.k.data(), depth, dQ.data(), depth, rows, depth, L);
        product<true>(slopes.data(), 1, keyRows, &head.q[q0 * depth], depth, dK.data(), depth, keyRows, depth, rows);
        product<true>(probabilities.data(), 1, keyRows, &dOut[q0 * depth], depth, dV.data(), depth, keyRows, depth, rows);
        for (int64_t r = 0; r < real; r++) {
          float* to = result + (window * L + q0 + r) * 3 * H + a * D;
          eachVector(D, [&](int64_t d, auto count) { store(to + d, load(&dQ[r * depth + d], count) * scale, count); });
        }
      }
      for (int64_t t = 0; t < L; t++) {
        float* to = result + (window * L + t) * 3 * H + a * D;
        memcpy(to + H, &dK[t * depth], 4 * D);
        memcpy(to + 2 * H, &dV[t * depth], 4 * D);
      }
    }
  });
}

// Inputs: residual [N, H], product [N, H], bias [H], gamma [H], beta [H], dropout keys [2].
// Outputs: LayerNorm(residual + dropout(product + bias)) [N, H]; in training the normalized rows [N, H] and 1/deviation [N, 1].
void residualNorm(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *residual = call.input(0), *product_ = call.input(1), *bias = call.input(2), *gamma = call.input(3),
              *beta = call.input(4);
  const Dropout dropout(call.input<uint32_t>(5), attributes.dropout);
  const int64_t N = call.length(0, 0), H = call.length(0, 1), kept = attributes.isTraining ? N : 0;
  float* output = call.output(0, {N, H}, 1);
  float* normalized = call.output(1, {kept, H});
  float* inverses = call.output(2, {kept, 1});
  if (!output || !normalized || !inverses) return;
  inParallel(N, threadCount(), [&](int, int64_t first, int64_t end) {
    for (int64_t n = first; n < end; n++) {
      const float *x = residual + n * H, *y = product_ + n * H;
      float *to = output + n * H, *keep = normalized + n * H;
      Floats total = {}, squares = {};
      eachVector(H, [&](int64_t h, auto count) {
        Floats added = load(y + h, count) + load(bias + h, count);
        if (dropout.active) added *= dropout.factors((uint32_t)(n * H + h));
        added += load(x + h, count);
        store(to + h, added, count);
        total += count == kWidth ? added : load(to + h, count);
      });
      const float mean = sum(total) / H;
      eachVector(H, [&](int64_t h, auto count) {
        const Floats centred = load(to + h, count) - mean;
        if (count == kWidth) squares += centred * centred;
        else for (int l = 0; l < count; l++) squares[0] += centred[l] * centred[l];
      });
      const float inverse = 1 / std::sqrt(sum(squares) / H + attributes.epsilon);
      eachVector(H, [&](int64_t h, auto count) {
        const Floats value = (load(to + h, count) - mean) * inverse;
        if (kept) store(keep + h, value, count);
        store(to + h, value * load(gamma + h, count) + load(beta + h, count), count);
      });
      if (kept) inverses[n] = inverse;
    }
  });
}

// Inputs: the output's gradient as one or two summands [N, H] (the second empty where there is none), normalized rows [N, H],
// 1/deviation [N, 1], gamma [H], dropout keys [2]. Outputs: gradients of residual, product [N, H], gamma and beta [H].
void residualNormGradient(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *direct = call.input(0), *through = call.length(1, 0) > 0 ? call.input(1) : nullptr, *normalized = call.input(2),
              *inverses = call.input(3), *gamma = call.input(4);
  const Dropout dropout(call.input<uint32_t>(5), attributes.dropout);
  const int64_t N = call.length(0, 0), H = call.length(0, 1);
  float* dResidual = call.output(0, {N, H}, 0);
  float* dProduct = call.output(1, {N, H}, 1);
  float* dGamma = call.output(2, {H});
  float* dBeta = call.output(3, {H});
  if (!dResidual || !dProduct || !dGamma || !dBeta) return;
  const int threads = threadCount();
  // Sums over few rows first, so that a long column loses no digits.
  constexpr int64_t kBlock = 64;
  vector<vector<float>> sums(threads, vector<float>(2 * H));
  inParallel(N, threads, [&](int thread, int64_t first, int64_t end) {
    vector<float> block(2 * H), total(H);
    const auto flush = [&] {
      for (int64_t h = 0; h < 2 * H; h++) sums[thread][h] += block[h];
      std::fill(block.begin(), block.end(), 0.0f);
    };
    for (int64_t n = first; n < end; n++) {
      const float* unit = normalized + n * H;
      Floats sumScaled = {}, sumProjected = {};
      eachVector(H, [&](int64_t h, auto count) {
        Floats g = load(direct + n * H + h, count);
        if (through) g += load(through + n * H + h, count);
        store(&total[h], g, count);
        const Floats u = load(unit + h, count), scaled = g * load(gamma + h, count);
        sumScaled += scaled;
        sumProjected += scaled * u;
        store(&block[h], load(&block[h], count) + g * u, count);
        store(&block[H + h], load(&block[H + h], count) + g, count);
      });
      const float average = sum(sumScaled) / H, projection = sum(sumProjected) / H, inverse = inverses[n];
      eachVector(H, [&](int64_t h, auto count) {
        const Floats scaled = load(&total[h], count) * load(gamma + h, count);
        const Floats g = (scaled - average - load(unit + h, count) * projection) * inverse;
        store(dResidual + n * H + h, g, count);
        store(dProduct + n * H + h, dropout.active ? g * dropout.factors((uint32_t)(n * H + h)) : g, count);
      });
      if ((n + 1) % kBlock == 0) flush();
    }
    flush();
  });
  for (int64_t h = 0; h < H; h++) {
    dGamma[h] = dBeta[h] = 0;
    for (const auto& part : sums) dGamma[h] += part[h], dBeta[h] += part[H + h];
  }
}

// GELU(x) = x · gate(x): the normal distribution's Φ, or its approximation by tanh.
struct Gate {
  Floats value, slope;
};
inline Gate gate(Floats x, bool isApproximate) {
  if (!isApproximate) {
    return {0.5f * errorFunction(x * 0.70710678f) + 0.5f, 0.39894228f * exponential(-0.5f * x * x)};
  }
  constexpr float kRoot = 0.79788456f, kCubic = 0.044715f;
  const Floats inner = kRoot * x * (1.0f + kCubic * x * x);
  const Floats value = 1.0f / (exponential(-2.0f * inner) + 1.0f);  // (1 + tanh) / 2
  return {value, 2.0f * value * (1.0f - value) * kRoot * (1.0f + 3.0f * kCubic * x * x)};
}

// Inputs: product [N, I], bias [I]. Output: GELU(product + bias) [N, I].
void gelu(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *product_ = call.input(0), *bias = call.input(1);
  const int64_t N = call.length(0, 0), I = call.length(0, 1);
  float* output = attributes.isTraining ? call.output(0, {N, I}) : call.output(0, {N, I}, 0);
  if (!output) return;
  inParallel(N, threadCount(), [&](int, int64_t first, int64_t end) {
    for (int64_t n = first; n < end; n++) {
      eachVector(I, [&](int64_t i, auto count) {
        const Floats x = load(product_ + n * I + i, count) + load(bias + i, count);
        store(output + n * I + i, x * gate(x, attributes.isApproximate).value, count);
      });
    }
  });
}

// Inputs: gradient [N, I], product [N, I], bias [I]. Outputs: the product's gradient, and GELU again, both [N, I].
void geluGradient(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float *gradient = call.input(0), *product_ = call.input(1), *bias = call.input(2);
  const int64_t N = call.length(0, 0), I = call.length(0, 1);
  float* result = call.output(0, {N, I}, 0);
  float* output = call.output(1, {N, I}, 1);
  if (!result || !output) return;
  inParallel(N, threadCount(), [&](int, int64_t first, int64_t end) {
    for (int64_t n = first; n < end; n++) {
      eachVector(I, [&](int64_t i, auto count) {
        const Floats x = load(product_ + n * I + i, count) + load(bias + i, count);
        const Gate g = gate(x, attributes.isApproximate);
        const Floats dx = load(gradient + n * I + i, count) * (g.value + x * g.slope);
        store(output + n * I + i, x * g.value, count);
        store(result + n * I + i, dx, count);
      });
    }
  });
}

// Inputs: x [N, H], dropout keys [2]. Output: x after dropout.
void dropoutAlone(const Attributes& attributes, TF_OpKernelContext* context) {
  Call call(context);
  const float* x = call.input(0);
  const Dropout dropout(call.input<uint32_t>(1), attributes.dropout);
  const int64_t N = call.length(0, 0), H = call.length(0, 1);
  float* output = call.output(0, {N, H}, 0);
  if (!output) return;
  eachVector(N * H, [&](int64_t i, auto count) {
    store(output + i, load(x + i, count) * dropout.factors((uint32_t)i), count);
  });
}

using Compute = void (*)(const Attributes&, TF_OpKernelContext*);

template <Compute compute>
void run(void* attributes, TF_OpKernelContext* context) {
  compute(*(const Attributes*)attributes, context);
}

void* readAttributes(TF_OpKernelConstruction* construction) {
  auto* a = new Attributes;
  TF_Status* status = TF_NewStatus();
  // Each op has some of them; the others keep their defaults.
  unsigned char flag = 0;
  TF_OpKernelConstruction_GetAttrInt64(construction, "heads", &a->heads, status);
  TF_OpKernelConstruction_GetAttrFloat(construction, "dropout", &a->dropout, status);
  TF_OpKernelConstruction_GetAttrFloat(construction, "epsilon", &a->epsilon, status);
  TF_OpKernelConstruction_GetAttrBool(construction, "training", &flag, status);
  if (TF_GetCode(status) == TF_OK) a->isTraining = flag;
  TF_OpKernelConstruction_GetAttrBool(construction, "approximate", &flag, status);
  if (TF_GetCode(status) == TF_OK) a->isApproximate = flag;
  TF_DeleteStatus(status);
  return a;
}

void unknownShapes(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

template <Compute compute>
bool define(const char* name, vector<const char*> inputs, vector<const char*> outputs, vector<const char*> attributes) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(op, input);
  for (const char* output : outputs) TF_OpDefinitionBuilderAddOutput(op, output);
  for (const char* attribute : attributes) TF_OpDefinitionBuilderAddAttr(op, attribute);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknownShapes);
  TF_RegisterOpDefinition(op, status);
  if (TF_GetCode(status) == TF_OK) {
    const auto free = [](void* a) { delete (Attributes*)a; };
    TF_KernelBuilder* kernel = TF_NewKernelBuilder(name, "CPU", readAttributes, run<compute>, free);
    TF_RegisterKernelBuilder(name, kernel, status);
  }
  const bool isDone = TF_GetCode(status) == TF_OK;
  TF_DeleteStatus(status);
  return isDone;
}

}  // namespace

static napi_value Init(napi_env env, napi_value exports) {
  const bool isDone =
      define<attention>("BertqaAttention", {"product: float", "bias: float", "mask_bias: float", "keys: uint32"},
                        {"context: float", "log_sums: float"}, {"heads: int", "dropout: float", "training: bool"}) &&
      define<attentionGradient>("BertqaAttentionGradient",
                                {"gradient: float", "product: float", "bias: float", "mask_bias: float", "keys: uint32",
                                 "context: float", "log_sums: float"},
                                {"product_gradient: float"}, {"heads: int", "dropout: float"}) &&
      define<residualNorm>("BertqaResidualNorm",
                           {"residual: float", "product: float", "bias: float", "gamma: float", "beta: float", "keys: uint32"},
                           {"output: float", "normalized: float", "inverse_deviation: float"},
                           {"dropout: float", "epsilon: float", "training: bool"}) &&
      define<residualNormGradient>("BertqaResidualNormGradient",
                                   {"direct: float", "through_sublayer: float", "normalized: float",
                                    "inverse_deviation: float", "gamma: float", "keys: uint32"},
                                   {"residual_gradient: float", "product_gradient: float", "gamma_gradient: float",
                                    "beta_gradient: float"},
                                   {"dropout: float"}) &&
      define<dropoutAlone>("BertqaDropout", {"x: float", "keys: uint32"}, {"output: float"}, {"dropout: float"}) &&
      define<gelu>("BertqaGelu", {"product: float", "bias: float"}, {"output: float"},
                   {"approximate: bool", "training: bool"}) &&
      define<geluGradient>("BertqaGeluGradient", {"gradient: float", "product: float", "bias: float"},
                           {"product_gradient: float", "output: float"}, {"approximate: bool"});
  if (!isDone) napi_throw_error(env, nullptr, "TensorFlow refused the kernels of bertqa");
  return exports;
}

NAPI_MODULE(bertqa_kernels, Init)
