/* Send the same kind of request to an HTTP/1.1 server again and again over open connections, and count the answers.

   load PORT CONNECTIONS SECONDS REQUEST

   REQUEST is a file with the bytes of a whole request. Each time it is sent, every run of eight '@' in it is replaced
   by a new number of eight characters, from 0.000000 to 0.999999. A connection sends its next request when the last
   answer is complete. If the server closes it, it is opened again. An answer with a status other than 200 is an error,
   and so is a connection that breaks within an answer. The program prints JSON: the counts, latencies in seconds, and
   the share of the time in which it was busy. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16384, BUFFER = 1 << 18, HOLES = 64, HOLE = 8, IN_A_ROW = 100 };

/* The part of an answer that is read next. */
enum part { HEADERS, LENGTH, UNTIL_CLOSE, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct connection {
    int file;
    char *request; /* a copy with its own numbers */
    size_t sent;
    double started;
    int answers; /* so far, over this socket */
    enum part part;
    char head[HEAD + 1];
    size_t head_length;
    long long left; /* bytes that are left of the body or of the chunk */
    size_t line;    /* characters so far in the line */
    int status, closes, began;
};

static struct sockaddr_in server;
static char *template;
static size_t template_length, holes[HOLES], hole_count;
static uint64_t counter = 88172645463325252u;
static int poller;

static double *latencies;
static size_t answered, capacity;
static long errors, reconnects, errors_in_a_row;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void stop(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t next_number(void) {
    counter = counter * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(counter >> 33) % 1000000;
}

static void read_template(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) stop(path);
    fseek(file, 0, SEEK_END);
    template_length = (size_t)ftell(file);
    rewind(file);
    template = malloc(template_length + 1);
    if (fread(template, 1, template_length, file) != template_length) stop(path);
    fclose(file);
    for (size_t at = 0; at + HOLE <= template_length; at++)
        if (!memcmp(template + at, "@@@@@@@@", HOLE) && hole_count < HOLES) {
            holes[hole_count++] = at;
            at += HOLE - 1;
        }
}

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->file, &event)) stop("epoll_ctl");
}

static void fill(struct connection *c) {
    for (size_t hole = 0; hole < hole_count; hole++) {
        char *digit = c->request + holes[hole] + HOLE;
        uint32_t number = next_number();
        for (int place = 0; place < 6; place++, number /= 10) *--digit = (char)('0' + number % 10);
        memcpy(c->request + holes[hole], "0.", 2);
    }
}

static void open_socket(struct connection *c) {
    int one = 1;
    c->file = socket(AF_INET, SOCK_STREAM, 0);
    if (c->file < 0 || connect(c->file, (struct sockaddr *)&server, sizeof server)) stop("connect");
    setsockopt(c->file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->file, F_SETFL, O_NONBLOCK);
    c->answers = 0;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

/* Send what the socket takes now, and the rest when it is writable. */
static void send_rest(struct connection *c) {
    while (c->sent < template_length) {
        ssize_t count = send(c->file, c->request + c->sent, template_length - c->sent, MSG_NOSIGNAL);
        if (count < 0) {
            /* A broken connection is noticed at the next read. */
            watch(c, EPOLL_CTL_MOD, errno == EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
            return;
        }
        c->sent += (size_t)count;
        if (c->sent == template_length && count < (ssize_t)template_length) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void send_first(struct connection *c) {
    c->part = HEADERS;
    c->head_length = 0;
    c->sent = 0;
    c->began = 0;
    send_rest(c);
}

static void ask(struct connection *c) {
    fill(c);
    c->started = now();
    send_first(c);
}

static void reopen(struct connection *c) {
    close(c->file);
    reconnects++;
    open_socket(c);
}

static void failed(struct connection *c) {
    errors++;
    if (++errors_in_a_row >= IN_A_ROW) {
        fprintf(stderr, "load: %d errors in a row, the last of status %d\n", IN_A_ROW, c->status);
        exit(1);
    }
}

static void whole(struct connection *c) {
    if (c->status == 200) {
        errors_in_a_row = 0;
        if (answered == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            latencies = realloc(latencies, capacity * sizeof *latencies);
            if (!latencies) stop("realloc");
        }
        latencies[answered++] = now() - c->started;
    } else
        failed(c);
    c->answers++;
    if (c->closes) reopen(c);
    ask(c);
}

/* Parse the complete status line and headers, and set what follows. Returns 0 if they are not HTTP. */
static int read_head(struct connection *c) {
    int minor;
    c->head[c->head_length] = 0;
    if (sscanf(c->head, "HTTP/1.%d %d", &minor, &c->status) != 2) return 0;
    c->closes = minor == 0;
    c->part = UNTIL_CLOSE;
    for (char *line = strstr(c->head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
        char *value = strchr(line, ':');
        if (!value) return 0;
        size_t name = (size_t)(value - line);
        value += 1 + strspn(value + 1, " ");
        if (name == 14 && !strncasecmp(line, "content-length", name)) {
            c->part = LENGTH;
            c->left = atoll(value);
        } else if (name == 17 && !strncasecmp(line, "transfer-encoding", name) && !strncasecmp(value, "chunked", 7)) {
            c->part = CHUNK_SIZE;
            c->left = 0;
            c->line = 0;
        } else if (name == 10 && !strncasecmp(line, "connection", name)) {
            c->closes = !strncasecmp(value, "close", 5);
        }
    }
    return 1;
}

static int hexadecimal(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 32;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Read bytes that arrived. Returns 1 if the answer is complete, -1 if it is not HTTP, and otherwise 0. */
static int take(struct connection *c, const char *bytes, size_t count) {
    for (size_t at = 0; at < count || (c->part == LENGTH && c->left == 0);) {
        switch (c->part) {
        case HEADERS:
            if (c->head_length == HEAD) return -1;
            c->head[c->head_length++] = bytes[at++];
            if (c->head_length >= 4 && !memcmp(c->head + c->head_length - 4, "\r\n\r\n", 4) && !read_head(c)) return -1;
            break;
        case LENGTH:
        case CHUNK: {
            size_t some = count - at < (size_t)c->left ? count - at : (size_t)c->left;
            at += some;
            c->left -= (long long)some;
            if (c->left) break;
            if (c->part == LENGTH) return at == count ? 1 : -1;
            c->part = CHUNK_END;
            break;
        }
        case CHUNK_END:
            if (bytes[at++] == '\n') c->part = CHUNK_SIZE, c->left = 0;
            break;
        case CHUNK_SIZE: {
            char byte = bytes[at++];
            int digit = hexadecimal(byte);
            if (byte == '\n') {
                c->part = c->left ? CHUNK : TRAILER;
                c->line = 0;
            } else if (digit >= 0)
                c->left = c->left * 16 + digit;
            else if (byte != '\r')
                return -1;
            break;
        }
        case TRAILER: {
            char byte = bytes[at++];
            if (byte == '\n') {
                if (!c->line) return at == count ? 1 : -1;
                c->line = 0;
            } else if (byte != '\r')
                c->line++;
            break;
        }
        case UNTIL_CLOSE: at = count; break;
        }
    }
    return 0;
}

static void receive(struct connection *c) {
    static char buffer[BUFFER];
    for (;;) {
        ssize_t count = recv(c->file, buffer, sizeof buffer, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) {
            if (count == 0 && c->part == UNTIL_CLOSE) {
                c->closes = 1;
                whole(c);
            } else if (!c->began && c->answers) {
                /* A server may close a connection between two answers. Send the same request again. */
                reopen(c);
                send_first(c);
            } else {
                c->status = 0;
                failed(c);
                reopen(c);
                ask(c);
            }
            return;
        }
        c->began = 1;
        int taken = take(c, buffer, (size_t)count);
        if (taken > 0) {
            whole(c);
            return;
        }
        if (taken < 0) {
            failed(c);
            reopen(c);
            ask(c);
            return;
        }
        if ((size_t)count < sizeof buffer) return;
    }
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(double share) {
    return answered ? latencies[(size_t)(share * (double)(answered - 1))] : 0;
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS REQUEST\n");
        return 2;
    }
    int connections = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(arguments[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    read_template(arguments[4]);
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(0);

    double started = now(), end = started + seconds;
    struct connection *all = calloc((size_t)connections, sizeof *all);
    for (int index = 0; index < connections; index++) {
        all[index].request = malloc(template_length);
        memcpy(all[index].request, template, template_length);
        open_socket(&all[index]);
        ask(&all[index]);
    }
    struct epoll_event events[64];
    for (double left = seconds; left > 0; left = end - now()) {
        int ready = epoll_wait(poller, events, 64, (int)(left * 1000) + 1);
        if (ready < 0 && errno != EINTR) stop("epoll_wait");
        for (int index = 0; index < ready; index++) {
            struct connection *c = events[index].data.ptr;
            if (events[index].events & EPOLLOUT) send_rest(c);
            if (events[index].events & ~(uint32_t)EPOLLOUT) receive(c);
        }
    }
    double elapsed = now() - started;

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double busy = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    qsort(latencies, answered, sizeof *latencies, ascending);
    printf("{\"requests\": %zu, \"errors\": %ld, \"reconnects\": %ld, \"seconds\": %.6f, \"p50\": %.6f, \"p99\": %.6f, "
           "\"busy\": %.3f}\n",
           answered, errors, reconnects, elapsed, quantile(0.5), quantile(0.99), busy / elapsed);
    return 0;
}
