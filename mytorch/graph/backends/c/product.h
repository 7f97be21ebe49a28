/* Matrix products whose right factor stays in the second cache, for one type T: tiles of the result in registers, as in Goto
   and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). */

typedef T N(vector) __attribute__((vector_size(WIDE), aligned(sizeof(T))));
typedef N(whole) N(places) __attribute__((vector_size(WIDE)));
#define LANES ((int64_t)(WIDE / sizeof(T)))
#define COLUMNS (2 * LANES)

/* R rows and V vectors of columns of C = A B in registers. A[r][p] lies at A + r * row + p * step, B[p] at B + p * ldb. */
INLINE void N(tile)(const int R, const int V, int64_t k, const T *A, int64_t row, int64_t step, const T *B, int64_t ldb, T *C,
                    int64_t ldc, int64_t width) {
    N(vector) sum[ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) sum[r][v] = (N(vector)){0};
    for (int64_t p = 0; p < k; p++) {
        N(vector) b[2];
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) b[v] = *(const N(vector) *)(B + p * ldb + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const T a = A[r * row + p * step];
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) sum[r][v] += a * b[v];
        }
    }
    if (width == V * LANES) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) *(N(vector) *)(C + r * ldc + v * LANES) = sum[r][v];
    } else {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            T whole[COLUMNS];
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) *(N(vector) *)(whole + v * LANES) = sum[r][v];
            for (int64_t j = 0; j < width; j++) C[r * ldc + j] = whole[j];
        }
    }
}

/* The tiles of R rows. Packed panels of B have COLUMNS columns each, the last one perhaps LANES. */
INLINE void N(strip)(const int R, int64_t n, int64_t k, const T *A, int64_t row, int64_t step, const T *B, int64_t ldb,
                     int packed, T *C, int64_t ldc) {
    for (int64_t j = 0; j < n; j += COLUMNS) {
        const int64_t width = n - j < COLUMNS ? n - j : COLUMNS;
        const int64_t stride = !packed ? ldb : width > LANES ? COLUMNS : LANES;
        const T *b = packed ? B + j * k : B + j;
        if (width > LANES)
            N(tile)(R, 2, k, A, row, step, b, stride, C + j, ldc, width);
        else
            N(tile)(R, 1, k, A, row, step, b, stride, C + j, ldc, width);
    }
}

#define STRIP(name, R) HIDDEN void N(name)(int64_t n, int64_t k, const T *A, int64_t row, int64_t step, const T *B, int64_t ldb, \
    int packed, T *C) { N(strip)(R, n, k, A, row, step, B, ldb, packed, C, n); }
STRIP(one_row, 1) STRIP(two_rows, 2) STRIP(full_strip, ROWS)

/* A block of LANES rows, `row` apart, with rows and columns exchanged. */
#if defined(__AVX512F__) && !defined(__clang__)
/* Halves change places, then quarters, and so on. */
static N(places) N(low)[4], N(high)[4];

static void N(turn_init)(void) {
    for (int s = LANES / 2, round = 0; s; s /= 2, round++)
        for (int i = 0; i < LANES; i++) N(low)[round][i] = i & s ? i - s + LANES : i, N(high)[round][i] = i & s ? i + LANES : i + s;
}

HIDDEN void N(turn)(const T *from, int64_t row, T *to, int64_t stride) {
    N(vector) r[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) r[i] = *(const N(vector) *)(from + i * row);
#pragma GCC unroll 4
    for (int s = LANES / 2, round = 0; s; s /= 2, round++)
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & s)) {
                const N(vector) a = r[i], b = r[i + s];
                r[i] = __builtin_shuffle(a, b, N(low)[round]), r[i + s] = __builtin_shuffle(a, b, N(high)[round]);
            }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) *(N(vector) *)(to + i * stride) = r[i];
}
#else
static void N(turn_init)(void) {}
HIDDEN void N(turn)(const T *from, int64_t row, T *to, int64_t stride) {
    for (int64_t j = 0; j < LANES; j++)
        for (int64_t p = 0; p < LANES; p++) to[p * stride + j] = from[j * row + p];
}
#endif

/* B, whose entry (p, j) lies at B + p * row + j * column, in panels of columns, filled up with zeros. One of row and column is 1. */
HIDDEN void N(pack)(int64_t k, int64_t n, const T *B, int64_t row, int64_t column, T *out) {
    for (int64_t j = 0; j < n; j += COLUMNS) {
        const int64_t width = n - j < COLUMNS ? n - j : COLUMNS, full = width > LANES ? COLUMNS : LANES;
        T *panel = out + j * k;
        int64_t q = 0;
        if (column == 1 && width == full) {
            for (int64_t p = 0; p < k; p++) memcpy(panel + p * full, B + p * row + j, full * sizeof(T));
            continue;
        }
        if (column != 1)
            for (; q + LANES <= width; q += LANES) {
                int64_t p = 0;
                for (; p + LANES <= k; p += LANES) N(turn)(B + p + (j + q) * column, column, panel + p * full + q, full);
                for (; p < k; p++)
                    for (int64_t l = q; l < q + LANES; l++) panel[p * full + l] = B[p * row + (j + l) * column];
            }
        for (int64_t p = 0; p < k; p++) {
            for (int64_t l = q; l < width; l++) panel[p * full + l] = B[p * row + (j + l) * column];
            for (int64_t l = width; l < full; l++) panel[p * full + l] = 0;
        }
    }
}

/* C (m, n) = A (m, k) B (k, n), all of C's entries one after the other, strip by strip; then the update of the strip, if there is
   one. scratch: for two strips of A and a packed B. */
HIDDEN void N(product)(int64_t m, int64_t n, int64_t k, const T *A, int64_t a_row, int64_t a_step, const T *B, int64_t b_row,
                       int64_t b_column, T *C, T *scratch, const ins *update) {
    const int packed = b_column != 1 || n % LANES;
    T *both = scratch;
    if (packed) N(pack)(k, n, B, b_row, b_column, scratch + 2 * ROWS * k), B = scratch + 2 * ROWS * k;
    for (int64_t i = 0, height; i < m; i += height) {
        const T *a = A + i * a_row;
        int64_t row = a_row, step = a_step;
        if (a_row == 1) {
            /* The rows of A run across memory: two strips are copied at once, a whole line of the cache. */
            const int64_t at = i % (2 * ROWS), most = m - i < 2 * ROWS ? m - i : 2 * ROWS;
            if (at == 0 && most == 2 * ROWS)
                for (int64_t p = 0; p < k; p++) memcpy(both + p * 2 * ROWS, a + p * a_step, 2 * ROWS * sizeof(T));
            else if (at == 0)
                for (int64_t p = 0; p < k; p++)
                    for (int64_t r = 0; r < most; r++) both[p * 2 * ROWS + r] = a[p * a_step + r];
            a = both + at, step = 2 * ROWS;
        }
        height = m - i >= ROWS ? ROWS : m - i >= 2 ? 2 : 1;
        (height == ROWS ? N(full_strip) : height == 2 ? N(two_rows) : N(one_row))(n, k, a, row, step, B, b_row, packed, C + i * n);
        if (update) N(update)(update, i * n, height * n);
    }
}
