/* The C backend: a function that walks a table of instructions, and one that tells if a plan still holds. */
#include "common.h"

/* Functions of Python's stable interface, given by address, so that none of its headers is needed. */
static void *(*as_int)(long), *(*let_others_run)(void), *(*entry_of)(char *, char *);
static void (*go_on)(void *);

/* An array object behind the head that all objects have; library.py says the same and checks it. The head ends with the type. */
typedef struct {
    char *data;
    int ndim;
    int64_t *shape, *strides;
    char *base, *dtype;
    int flags;
} array;

#define ARRAY(object) ((const array *)((object) + HEAD))
#define TYPE(object) (*(void **)((object) + HEAD - sizeof(void *)))

EXPORTED void mytorch_init(void *const *given) {
    start_float(given[0]);
    start_double(given[1]);
    as_int = (void *(*)(long))given[2];
    let_others_run = (void *(*)(void))given[3];
    go_on = (void (*)(void *))given[4];
    entry_of = (void *(*)(char *, char *))given[5];
}

EXPORTED int64_t mytorch_largest(void) { return LARGEST; }

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

/* Functions that Python calls without a detour (METH_FASTCALL). self is the array that holds a table, the others are arrays too. */

/* Walk a table, whose first row has the numbers of arguments and of rows and says if others may run meanwhile. The flags 0x101
   say that the entries lie in rows, one after the other, and aligned. The first row also names the ranges of memory that the step
   changes, and the bytes of each argument.
   Returns -1, -2 for an argument that lies otherwise or in such a range, or the number of the instruction whose check has
   failed. */
static void *call(char *self, char *const *objects, int64_t given) {
    const ins *table = (const ins *)ARRAY(self)->data;
    char *arguments[5];
    arguments[4] = table->p[0];
    for (int k = 0; k < given; k++) {
        const array *a = ARRAY(objects[k]);
        if ((a->flags & 0x101) != 0x101) return as_int(-2);
        char *begin = arguments[k] = a->data;
        char *const *range = (char *const *)table->p[1];
        for (int64_t r = 0; r < table->i[2]; r++, range += 2)
            if (begin < range[1] && range[0] < begin + table->i[3 + k]) return as_int(-2);
    }
    void *state = table->i[1] ? let_others_run() : 0;
    const int64_t code = walk(table + 1, table->i[0], arguments);
    if (state) go_on(state);
    return as_int((long)code);
}

/* For an argument its dtype, number of axes and shape; for the entry of a dict the dict, the key and the value, 0 for none; for
   the class of an object the object, 0 and the class. */
typedef struct { char *holder, *key, *expected; } guard;

/* 1 where the arguments are arrays of the dtypes and shapes in the first rows, and the entries and classes in the other
   rows are the very objects that they were, else 0. */
static void *matches(char *self, char *const *objects, int64_t given) {
    const guard *row = (const guard *)ARRAY(self)->data;
    for (int k = 0; k < given; k++, row++) {
        if (TYPE(objects[k]) != TYPE(self)) return as_int(0);
        const array *a = ARRAY(objects[k]);
        if (a->dtype != row->holder || a->ndim != (int64_t)row->key || memcmp(a->shape, row->expected, a->ndim * sizeof(int64_t)))
            return as_int(0);
    }
    for (; row->holder; row++)
        if ((row->key ? entry_of(row->holder, row->key) : TYPE(row->holder)) != row->expected) return as_int(0);
    return as_int(1);
}

/* As Python's PyMethodDef. */
typedef struct { const char *name; void *(*function)(char *, char *const *, int64_t); int flags; const char *doc; } method;
EXPORTED method mytorch_walk = {"walk", call, 0x80, 0}, mytorch_matches = {"matches", matches, 0x80, 0};
