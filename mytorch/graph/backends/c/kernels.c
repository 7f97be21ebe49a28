/* The C backend: one function that walks a table of instructions, and the loops that they name.

   The enums of instructions (I_...) and of elementwise operations (E_...) stand above this text when it is compiled: they
   are generated from the lists in encode.py. typed.h is included once for float and once for double, product.h by it. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define HIDDEN static __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

typedef BLASINT bint;
/* An instruction: numbers, the last of them the count of places, and places. A place below 16 is the argument of that number plus
   one, or the scratch memory. */
typedef struct {
    int64_t op, i[10];
    char *p[10];
} ins;

#define PLACE(p) ((uintptr_t)(p) - 1 < 15 ? arguments[(uintptr_t)(p) - 1] : (p))

enum { ROW_MAJOR = 101, NORMAL = 111, TRANSPOSED = 112 };
/* Entries of a piece: what a run of elementwise operations keeps in the first cache. */
enum { PIECE = 256, TEMPORARIES = 24 };
/* How an operand of an elementwise operation is reached. */
enum { FULL, PER_ROW, PER_COLUMN, ONE, TEMPORARY, FULL_BOOLEAN };

/* Bytes of a vector, rows of a tile that leave registers for the rest, and up to which size of the right factor these products
   beat those of the BLAS. */
#if defined(__AVX512F__)
enum { WIDE = 64, ROWS = 8, LARGEST = 1 << 19 };
#elif defined(__AVX__)
enum { WIDE = 32, ROWS = 4, LARGEST = 1 << 14 };
#else
enum { WIDE = 16, ROWS = 8, LARGEST = 1 << 14 };
#endif
typedef int32_t whole_float;
typedef int64_t whole_double;

INLINE float exp_float(float x) {
    /* Cephes' polynomial (Moshier): within 2 units of the last place. */
    float n = floorf(x * 1.44269504088896341f + 0.5f);
    n = n > 128.0f ? 128.0f : n < -127.0f ? -127.0f : n;
    float r = x - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t i; float f; } power = {((int32_t)n + 127) << 23};
    float y = p * power.f;
    y = x > 88.72283f ? INFINITY : y;
    y = x < -87.33654f ? 0.0f : y;
    return x != x ? x : y;
}

INLINE double exp_double(double x) {
    double n = floor(x * 1.4426950408889634074 + 0.5);
    n = n > 1024.0 ? 1024.0 : n < -1023.0 ? -1023.0 : n;
    double r = x - n * 6.93145751953125e-1;
    r -= n * 1.42860682030941723212e-6;
    double s = r * r;
    double p = r * ((1.26177193074810590878e-4 * s + 3.02994407707441961300e-2) * s + 9.99999999999999999910e-1);
    double q = ((3.00198505138664455042e-6 * s + 2.52448340349684104192e-3) * s + 2.27265548208155028766e-1) * s + 2.0;
    double y = 1.0 + 2.0 * p / (q - p);
    /* Adding 1.5 * 2^52 leaves n in the low bits, from where it goes into the exponent. */
    union { double f; int64_t i; } low = {n + 6755399441055744.0}, power;
    power.i = (int64_t)((uint64_t)low.i << 52) + ((int64_t)1023 << 52);
    y *= power.f;
    y = x > 709.78 ? exp(x) : y;
    y = x < -708.39 ? 0.0 : y;
    return x != x ? x : y;
}

INLINE float tanh_float(float x) {
    float a = fabsf(x), s = x * x;
    float p = -5.70498872745e-3f;
    p = p * s + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    float small = p * s * x + x;
    float large = copysignf(1.0f - 2.0f / (exp_float(2.0f * a) + 1.0f), x);
    return a < 0.625f ? small : x != x ? x : large;
}

INLINE double tanh_double(double x) {
    double a = fabs(x), s = x * x;
    double p = (-9.64399179425052238628e-1 * s - 9.92877231001918586564e1) * s - 1.61468768441708447952e3;
    double q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3;
    double small = x * s * (p / q) + x;
    double large = copysign(1.0 - 2.0 / (exp_double(2.0 * (a > 300.0 ? 300.0 : a)) + 1.0), x);
    return a < 0.625 ? small : x != x ? x : large;
}

#define T float
#define N(name) name##_float
#define M(name) name##f
#include "typed.h"
#undef T
#undef N
#undef M
#define T double
#define N(name) name##_double
#define M(name) name
#include "typed.h"

/* Functions of Python's stable interface, given by address, so that none of its headers is needed. */
static void *(*as_int)(long), *(*let_others_run)(void);
static void (*go_on)(void *);

void mytorch_init(void *const *given) {
    gemm_float = (gemm_type_float)given[0];
    gemm_double = (gemm_type_double)given[1];
    as_int = (void *(*)(long))given[2];
    let_others_run = (void *(*)(void))given[3];
    go_on = (void (*)(void *))given[4];
    turn_init_float();
    turn_init_double();
}

int64_t mytorch_largest(void) { return LARGEST; }

/* Where entries of class numbers stand: out = y * factor + position * step. */
HIDDEN void entries(int64_t n, const int64_t *y, int64_t factor, int64_t step, int64_t *out) {
    for (int64_t k = 0; k < n; k++) out[k] = y[k] * factor + k * step;
}

HIDDEN int outside(int64_t n, const int64_t *y, int64_t below) {
    uint64_t most = 0;
    for (int64_t k = 0; k < n; k++) most = (uint64_t)y[k] > most ? (uint64_t)y[k] : most;
    return n && most >= (uint64_t)below;
}

static int64_t walk(const ins *table, int64_t count, char *const *arguments) {
    for (int64_t at = 0; at < count; at++) {
        const ins *t = table + at;
        const int64_t *i = t->i;
        char *p[10];
        for (int k = 0; k < i[9]; k++) p[k] = PLACE(t->p[k]);
        switch (t->op) {
        case I_copy: memcpy(p[1], p[0], i[0]); break;
        case I_entries: entries(i[0], (int64_t *)p[0], i[1], i[2], (int64_t *)p[1]); break;
        case I_check_index: if (outside(i[0], (int64_t *)p[0], i[1])) return i[2]; break;
        default:
            if (t->op & 1) step_double(t, t->op - 1, i, p, arguments); else step_float(t, t->op, i, p, arguments);
            /* The operations of an elementwise run stand behind it, and an update that has been done with a product. */
            if (t->op >> 1 == I_run >> 1) at += i[2];
            else if (i[8]) at++;
        }
    }
    return -1;
}

/* A function that Python calls without a detour (METH_FASTCALL). self is the array that holds the table, whose first row has the
   numbers of arguments and of rows and says if others may run meanwhile. The arguments are array objects. DATA and FLAGS are
   the offsets of these fields in such an object; 0x101 says that the entries lie in rows, one after the other, and aligned.
   The first row also names the ranges of memory that the step changes, and the bytes of each argument.
   Returns -1, -2 for an argument that lies otherwise or in such a range, or the number of the instruction whose check has
   failed. */
static void *call(char *self, char *const *objects, int64_t given) {
    const ins *table = *(ins **)(self + DATA);
    char *arguments[5];
    arguments[4] = table->p[0];
    for (int k = 0; k < given; k++) {
        if ((*(int *)(objects[k] + FLAGS) & 0x101) != 0x101) return as_int(-2);
        char *begin = arguments[k] = *(char **)(objects[k] + DATA);
        char *const *range = (char *const *)table->p[1];
        for (int64_t r = 0; r < table->i[2]; r++, range += 2)
            if (begin < range[1] && range[0] < begin + table->i[3 + k]) return as_int(-2);
    }
    void *state = table->i[1] ? let_others_run() : 0;
    const int64_t code = walk(table + 1, table->i[0], arguments);
    if (state) go_on(state);
    return as_int((long)code);
}

/* As Python's PyMethodDef. */
struct { const char *name; void *(*function)(char *, char *const *, int64_t); int flags; const char *doc; } mytorch_method = {
    "walk", call, 0x80, 0};
