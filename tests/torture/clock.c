// A wall clock that can be set while the process runs: preloaded, it adds the seconds that stand in the file TORTURE_CLOCK.
// Waits that name a wall time are turned back to the machine's own, else they would last until the clock that is shown.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static long long nothing;
static volatile const long long *offset_s = &nothing;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("TORTURE_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *offset_s, PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) offset_s = shared;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset_s;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

static struct timespec own(const struct timespec *shown) {
    struct timespec until = *shown;
    until.tv_sec -= *offset_s;
    if (until.tv_sec < 0) until.tv_sec = 0;
    return until;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict shown) {
    typedef int wait(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec until = own(shown);
    return ((wait *)dlsym(RTLD_NEXT, "pthread_cond_timedwait"))(condition, mutex, &until);
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict shown) {
    typedef int wait(cnd_t *, mtx_t *, const struct timespec *);
    struct timespec until = own(shown);
    return ((wait *)dlsym(RTLD_NEXT, "cnd_timedwait"))(condition, mutex, &until);
}
