/* Common to all parts of the C backend: the table of instructions, and the processor's measures.

   table.h is generated: the enums of instructions (I_...) and of elementwise operations (E_...) from the lists in table.py, and
   how this machine's NumPy lays out its arrays. kernels.c is compiled once for float and once for double, both at the same time. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "table.h"

#define HIDDEN static __attribute__((noinline))
#define EXPORTED __attribute__((visibility("default")))
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
enum { PIECE = 512 };
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

/* From walk.c to the loops for each type: their BLAS, and an instruction with its places. */
void start_float(void *gemm), start_double(void *gemm);
void step_float(const ins *t, int64_t op, const int64_t *i, char *const *p, char *const *arguments);
void step_double(const ins *t, int64_t op, const int64_t *i, char *const *p, char *const *arguments);
