/*
 * A partner that takes everything and knows nothing: it answers 200 to each HTTP/1.1 request with a body of a known
 * length, as cheaply as one thread can. Measured against it, what is measured is us.
 *
 *     cc -O2 -o sink sink.c && ./sink        prints "http://127.0.0.1:PORT", and stops when its input ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 65536, EVENTS = 256 };
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}";

/* A connection: the bytes of a head that has begun, and how much of a body is still to come. */
struct peer {
    int fd;
    size_t held;
    long body;
    char head[HEAD + 1];
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int answer(struct peer *peer) {
    ssize_t sent = send(peer->fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
    return sent == (ssize_t)(sizeof ANSWER - 1);
}

/* Take what is held: answer each request that is whole. Returns 0 when the connection is to be closed. */
static int take(struct peer *peer) {
    char *at = peer->head, *end = peer->head + peer->held;
    while (at < end) {
        if (peer->body > 0) {
            long here = end - at < peer->body ? end - at : peer->body;
            at += here;
            peer->body -= here;
            if (peer->body == 0 && !answer(peer)) return 0;
            continue;
        }
        char *stop = memmem(at, end - at, "\r\n\r\n", 4);
        if (stop == NULL) break;
        *stop = 0;
        char *length = strcasestr(at, "content-length:");
        peer->body = length ? strtol(length + 15, NULL, 10) : 0;
        at = stop + 4;
        if (peer->body == 0 && !answer(peer)) return 0;
    }
    peer->held = end - at;
    memmove(peer->head, at, peer->held);
    return peer->held < HEAD;
}

static void greet(int listener, int poll) {
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct peer *peer = calloc(1, sizeof *peer);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        if (peer == NULL) fail("memory");
        peer->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void hear(struct peer *peer) {
    ssize_t got;
    while ((got = recv(peer->fd, peer->head + peer->held, HEAD - peer->held, 0)) > 0) {
        peer->held += got;
        peer->head[peer->held] = 0;
        if (!take(peer)) got = 0;
        if (got == 0) break;
    }
    if (got < 0 && errno == EAGAIN) return;
    close(peer->fd);
    free(peer);
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    if (listener < 0 || bind(listener, (void *)&address, size) || listen(listener, 1024)) fail("listen");
    getsockname(listener, (void *)&address, &size);
    struct epoll_event all[EVENTS], fresh = {.events = EPOLLIN, .data.ptr = &listener};
    struct epoll_event input = {.events = EPOLLIN | EPOLLHUP, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &fresh);
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &input);
    printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(poll, all, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (all[i].data.ptr == NULL) return 0;
            if (all[i].data.ptr == &listener) greet(listener, poll);
            else hear(all[i].data.ptr);
        }
    }
}
