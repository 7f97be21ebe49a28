/* The loops that a table's instructions name, for one type T; N(name) is the name with the type, M(name) the function of math.h
   for it. The compiler is told these three: this file is compiled once for float and once for double. */
#include "common.h"
#include "maths.h"

typedef int32_t whole_float;
typedef int64_t whole_double;

typedef void (*N(gemm_type))(int, int, int, bint, bint, bint, T, const T *, bint, const T *, bint, T, T *, bint);
static N(gemm_type) N(gemm);

/* y = A x with A (rows, columns): four rows at a time, so that x is read once for four. */
HIDDEN void N(matvec)(int64_t rows, int64_t columns, const T *A, const T *x, T *restrict y) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const T *a = A + r * columns;
        T s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
        for (int64_t k = 0; k < columns; k++) {
            T t = x[k];
            s0 += t * a[k];
            s1 += t * a[columns + k];
            s2 += t * a[2 * columns + k];
            s3 += t * a[3 * columns + k];
        }
        y[r] = s0, y[r + 1] = s1, y[r + 2] = s2, y[r + 3] = s3;
    }
    for (; r < rows; r++) {
        T s = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t k = 0; k < columns; k++) s += x[k] * A[r * columns + k];
        y[r] = s;
    }
}

/* y = x A with A (rows, columns). */
HIDDEN void N(vecmat)(int64_t rows, int64_t columns, const T *x, const T *A, T *restrict y) {
    for (int64_t k = 0; k < columns; k++) y[k] = 0;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const T *a = A + r * columns;
        T x0 = x[r], x1 = x[r + 1], x2 = x[r + 2], x3 = x[r + 3];
#pragma omp simd
        for (int64_t k = 0; k < columns; k++)
            y[k] += x0 * a[k] + x1 * a[columns + k] + x2 * a[2 * columns + k] + x3 * a[3 * columns + k];
    }
    for (; r < rows; r++) {
        T s = x[r];
#pragma omp simd
        for (int64_t k = 0; k < columns; k++) y[k] += s * A[r * columns + k];
    }
}

HIDDEN void N(sum_rows)(int64_t rows, int64_t columns, const T *a, T *restrict y) {
    for (int64_t r = 0; r < rows; r++) {
        T s = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t k = 0; k < columns; k++) s += a[r * columns + k];
        y[r] = s;
    }
}

HIDDEN void N(sum_columns)(int64_t rows, int64_t columns, const T *a, T *restrict y) {
    for (int64_t k = 0; k < columns; k++) y[k] = 0;
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, a += 4 * columns)
#pragma omp simd
        for (int64_t k = 0; k < columns; k++) y[k] += (a[k] + a[columns + k]) + (a[2 * columns + k] + a[3 * columns + k]);
    for (; r < rows; r++, a += columns)
#pragma omp simd
        for (int64_t k = 0; k < columns; k++) y[k] += a[k];
}

#define LARGER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))

HIDDEN void N(max_rows)(int64_t rows, int64_t columns, const T *a, T *restrict y) {
    for (int64_t r = 0; r < rows; r++) {
        T s = a[r * columns];
        for (int64_t k = 1; k < columns; k++) s = LARGER(a[r * columns + k], s);
        y[r] = s;
    }
}

HIDDEN void N(max_columns)(int64_t rows, int64_t columns, const T *a, T *restrict y) {
    for (int64_t k = 0; k < columns; k++) y[k] = a[k];
    for (int64_t r = 1; r < rows; r++)
#pragma omp simd
        for (int64_t k = 0; k < columns; k++) y[k] = LARGER(a[r * columns + k], y[k]);
}

/* Elementwise */

/* One operation on n entries. */
HIDDEN void N(apply)(int64_t op, int64_t n, const T *a, const T *b, const T *c, T *y) {
#define EACH(name, expression) case E_##name: _Pragma("omp simd") for (int64_t k = 0; k < n; k++) y[k] = (expression); break
#define CALL(name, expression) case E_##name: for (int64_t k = 0; k < n; k++) y[k] = (expression); break
    switch (op) {
    EACH(add, a[k] + b[k]);
    EACH(subtract, a[k] - b[k]);
    EACH(multiply, a[k] * b[k]);
    EACH(divide, a[k] / b[k]);
    EACH(maximum, LARGER(a[k], b[k]));
    EACH(greater, (T)(a[k] > b[k]));
    EACH(greater_equal, (T)(a[k] >= b[k]));
    EACH(equal, (T)(a[k] == b[k]));
    EACH(copy, a[k]);
    EACH(cast, a[k]);
    EACH(negative, -a[k]);
    EACH(absolute, M(fabs)(a[k]));
    EACH(square, a[k] * a[k]);
    EACH(sqrt, M(sqrt)(a[k]));
    EACH(sign, a[k] != a[k] ? a[k] : (T)((a[k] > 0) - (a[k] < 0)));
    EACH(positive, (T)(a[k] > 0));
    EACH(logical_not, (T)(a[k] == 0));
    EACH(exp, N(exp)(a[k]));
    EACH(tanh, N(tanh)(a[k]));
    EACH(where, a[k] != 0 ? b[k] : c[k]);
    CALL(log, M(log)(a[k]));
    CALL(log1p, M(log1p)(a[k]));
    CALL(erfc, M(erfc)(a[k]));
    CALL(power, M(pow)(a[k], b[k]));
    }
}

/* A run of operations over (rows, columns), piece by piece. scratch: PIECE entries for each temporary; an operand that lies
   otherwise than the results is spread out in one of its own. */
HIDDEN void N(run)(const ins *t, int64_t rows, int64_t columns, int64_t count, T *scratch, char *const *arguments) {
    /* Short rows are taken several at a time. */
    int64_t together = columns <= PIECE / 2 ? PIECE / columns : 1;
    together = together < rows ? together : rows;
    const int64_t whole = columns < PIECE ? together * columns : PIECE;
    const ins *first = t + 1, *end = first + count;
    /* What all pieces have in common is spread out once. */
    for (const ins *e = first; e < end; e++)
        for (int k = 0; k < e->i[0]; k++) {
            const T *p = (T *)PLACE(e->p[k]);
            T *s = scratch + e->i[5 + k] * PIECE;
            if (e->i[1 + k] == ONE)
                for (int64_t j = 0; j < whole; j++) s[j] = *p;
            else if (e->i[1 + k] == PER_COLUMN && together > 1)
                for (int64_t h = 0; h < together; h++) memcpy(s + h * columns, p, columns * sizeof(T));
        }
    for (int64_t r = 0; r < rows; r += together)
        for (int64_t begin = 0; begin < columns; begin += PIECE) {
            const int64_t height = rows - r < together ? rows - r : together;
            const int64_t width = columns - begin < PIECE ? columns - begin : PIECE, n = height * width, here = r * columns + begin;
            for (const ins *e = first; e < end; e++) {
                const T *operand[3] = {0, 0, 0};
                for (int k = 0; k < e->i[0]; k++) {
                    char *p = PLACE(e->p[k]);
                    T *s = scratch + e->i[5 + k] * PIECE;
                    operand[k] = s;
                    switch (e->i[1 + k]) {
                    case FULL: operand[k] = (T *)p + here; break;
                    case PER_COLUMN: if (together == 1) operand[k] = (T *)p + begin; break;
                    case PER_ROW:
                        for (int64_t h = 0; h < height; h++) {
                            const T one = ((T *)p)[r + h];
                            for (int64_t j = 0; j < width; j++) s[h * width + j] = one;
                        }
                        break;
                    case FULL_BOOLEAN:
                        for (int64_t j = 0; j < n; j++) s[j] = ((uint8_t *)p)[here + j];
                    }
                }
                T *y = e->i[4] == FULL ? (T *)e->p[3] + here : scratch + e->i[8] * PIECE;
                N(apply)(e->op, n, operand[0], operand[1], operand[2], y);
                if (e->i[4] == FULL_BOOLEAN)
                    for (int64_t j = 0; j < n; j++) ((uint8_t *)e->p[3])[here + j] = y[j] != 0;
            }
        }
}

/* Updates. mode: 1 with momentum, 2 Nesterov, 4 weight decay. */

INLINE void N(sgd_mode)(int64_t n, const T *g, T *restrict w, T *restrict v, T lr, T momentum, T weight_decay, const int mode) {
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        T d = g[k];
        if (mode & 4) d += weight_decay * w[k];
        if (mode & 1) {
            T u = momentum * v[k] + d;
            v[k] = u;
            d = mode & 2 ? d + momentum * u : u;
        }
        w[k] -= lr * d;
    }
}

HIDDEN void N(sgd)(int64_t n, const T *g, T *w, T *v, T lr, T momentum, T weight_decay, int64_t mode) {
    if (mode == 0) N(sgd_mode)(n, g, w, w, lr, momentum, weight_decay, 0);
    else if (mode == 1) N(sgd_mode)(n, g, w, v, lr, momentum, weight_decay, 1);
    else if (mode & 1) N(sgd_mode)(n, g, w, v, lr, momentum, mode & 4 ? weight_decay : 0, mode & 2 ? 7 : 5);
    else N(sgd_mode)(n, g, w, w, lr, momentum, weight_decay, 4);
}

/* s: rate, correction, decay, eps, weight_decay, beta1, beta2, rest1, rest2. mode: 1 weight decay, 2 apart (AdamW). */
HIDDEN void N(adam)(int64_t n, const T *g, T *restrict w, T *restrict m, T *restrict v, char *const *s, int64_t mode) {
    T rate = *(T *)s[0], correction = *(T *)s[1], decay = mode == 3 ? *(T *)s[2] : 1, eps = *(T *)s[3], weight_decay = *(T *)s[4];
    T beta1 = *(T *)s[5], beta2 = *(T *)s[6], rest1 = *(T *)s[7], rest2 = *(T *)s[8];
    if (mode == 1) {
        /* Product and sum are rounded one by one, as in NumPy: where they cancel, Adam magnifies what is left. */
        T decayed[PIECE];
        for (int64_t begin = 0, width; begin < n; begin += width) {
            width = n - begin < PIECE ? n - begin : PIECE;
            for (int64_t k = 0; k < width; k++) decayed[k] = weight_decay * w[begin + k];
            for (int64_t k = 0; k < width; k++) decayed[k] += g[begin + k];
            N(adam)(width, decayed, w + begin, m + begin, v + begin, s, 0);
        }
        return;
    }
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        T x = w[k] * decay, d = g[k];
        T a = m[k] * beta1 + d * rest1, b = v[k] * beta2 + d * d * rest2;
        m[k] = a, v[k] = b;
        w[k] = x - a / (M(sqrt)(b) / correction + eps) * rate;
    }
}

/* The update of n entries from a place on. */
HIDDEN void N(update)(const ins *t, int64_t begin, int64_t n) {
    T *p[4];
    for (int k = 0; k < 4; k++) p[k] = (T *)t->p[k] + begin;
    if (t->op >> 1 == I_sgd >> 1)
        N(sgd)(n, p[0], p[1], p[2], *(T *)t->p[6], *(T *)t->p[7], *(T *)t->p[8], t->i[1]);
    else
        N(adam)(n, p[0], p[1], p[2], p[3], (char *const *)t->p[4], t->i[1]);
}

/* y = a b^T, row by row; then the row's update, if there is one. That of SGD with momentum is done in the same sweep. */
HIDDEN void N(outer)(int64_t rows, int64_t columns, const T *a, const T *b, T *restrict y, const ins *update) {
    const int is_plain = update && update->op >> 1 == I_sgd >> 1 && update->i[1] == 1;
    const T lr = is_plain ? *(T *)update->p[6] : 0, momentum = is_plain ? *(T *)update->p[7] : 0;
    for (int64_t r = 0; r < rows; r++, y += columns) {
        const T s = a[r];
        if (is_plain) {
            T *restrict w = (T *)update->p[1] + r * columns, *restrict v = (T *)update->p[2] + r * columns;
#pragma omp simd
            for (int64_t k = 0; k < columns; k++) {
                T g = s * b[k], u = momentum * v[k] + g;
                y[k] = g, v[k] = u, w[k] -= lr * u;
            }
        } else {
#pragma omp simd
            for (int64_t k = 0; k < columns; k++) y[k] = s * b[k];
            if (update) N(update)(update, r * columns, columns);
        }
    }
}

#include "product.h"

void N(step)(const ins *t, int64_t op, const int64_t *i, char *const *p, char *const *arguments) {
    switch (op) {
    case I_run: N(run)(t, i[0], i[1], i[2], (T *)p[0], arguments); break;
    case I_gemm: N(gemm)(ROW_MAJOR, i[0], i[1], i[2], i[3], i[4], 1, (T *)p[0], i[5], (T *)p[1], i[6], 0, (T *)p[2], i[7]); break;
    case I_matvec: N(matvec)(i[0], i[1], (T *)p[0], (T *)p[1], (T *)p[2]); break;
    case I_vecmat: N(vecmat)(i[0], i[1], (T *)p[0], (T *)p[1], (T *)p[2]); break;
    case I_outer: N(outer)(i[0], i[1], (T *)p[0], (T *)p[1], (T *)p[2], i[8] ? t + 1 : 0); break;
    case I_product: N(product)(i[0], i[1], i[2], (T *)p[0], i[3], i[4], (T *)p[1], i[5], i[6], (T *)p[2], (T *)p[3], i[8] ? t + 1 : 0); break;
    case I_sum_rows: N(sum_rows)(i[0], i[1], (T *)p[0], (T *)p[1]); break;
    case I_sum_columns: N(sum_columns)(i[0], i[1], (T *)p[0], (T *)p[1]); break;
    case I_max_rows: N(max_rows)(i[0], i[1], (T *)p[0], (T *)p[1]); break;
    case I_max_columns: N(max_columns)(i[0], i[1], (T *)p[0], (T *)p[1]); break;
    case I_pick: for (int64_t k = 0; k < i[0]; k++) ((T *)p[2])[k] = ((T *)p[0])[((int64_t *)p[1])[k]]; break;
    case I_put: for (int64_t k = 0; k < i[0]; k++) ((T *)p[2])[((int64_t *)p[0])[k]] = ((T *)p[1])[k]; break;
    case I_accumulate: for (int64_t k = 0; k < i[0]; k++) ((T *)p[1])[k] += ((T *)p[0])[k]; break;
    case I_sgd: case I_adam: N(update)(t, 0, i[0]); break;
    }
}

void N(start)(void *gemm) {
    N(gemm) = (N(gemm_type))gemm;
    N(turn_init)();
}
