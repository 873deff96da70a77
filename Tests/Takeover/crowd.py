#!/usr/bin/env python3
"""Six processes make, rename, link, replace and remove names in one directory, which has lower files too. Each has names of its own, so that nothing may ever fail, and knows what must be
under each of them.

    crowd.py DIR --enough FILE [--seed N]      until FILE is there
"""
import argparse, os, random, sys

PROCESSES = 6


class Worker:
    def __init__(self, directory, number, seed):
        self.directory, self.number = directory, number
        self.random = random.Random(seed * 100 + number)
        # name: (what is in it, which file it is)
        self.names, self.serial, self.steps = {}, 0, 0
        for name in sorted(os.listdir(directory)):
            if name.startswith("low%d." % number):
                self.names[name] = [name.encode(), name]

    def path(self, name):
        return os.path.join(self.directory, name)

    def fresh(self):
        self.serial += 1
        return "w%d.%d" % (self.number, self.serial)

    def check(self, name):
        content, file = self.names[name]
        with open(self.path(name), "rb") as f:
            seen = f.read()
            links = os.fstat(f.fileno()).st_nlink
        known = sum(1 for other in self.names.values() if other[1] == file)
        assert seen == content, "%s has %r, should have %r" % (name, seen, content)
        assert links == known, "%s has %d names, should have %d" % (name, links, known)

    def step(self):
        names = sorted(self.names)
        kind = self.random.choice(["create", "create", "make", "rename", "replace", "link", "remove", "remove", "append", "check", "absent", "exchange", "directory"])
        if kind in ("create", "make") or len(names) < 4:
            name = self.fresh()
            # Made by open(2), or by mknod(2) first.
            if kind == "make":
                os.mknod(self.path(name), 0o100644)
            fd = os.open(self.path(name), os.O_WRONLY | (0 if kind == "make" else os.O_CREAT | os.O_EXCL), 0o644)
            os.write(fd, name.encode())
            os.close(fd)
            self.names[name] = [name.encode(), name]
        elif kind == "rename":
            old, new = self.random.choice(names), self.fresh()
            os.rename(self.path(old), self.path(new))
            self.names[new] = self.names.pop(old)
        elif kind == "replace":
            old, new = self.random.sample(names, 2)
            os.rename(self.path(old), self.path(new))
            # Two names of one file: nothing is done (rename(2)).
            if self.names[old][1] != self.names[new][1]:
                self.names[new] = self.names.pop(old)
        elif kind == "exchange":
            one, other = self.random.sample(names, 2)
            temporary = self.fresh()
            for a, b in ((one, temporary), (other, one), (temporary, other)):
                if self.names.get(b, [None, None])[1] != self.names[a][1]:
                    os.rename(self.path(a), self.path(b))
                    self.names[b] = self.names.pop(a)
        elif kind == "link":
            old, new = self.random.choice(names), self.fresh()
            os.link(self.path(old), self.path(new))
            self.names[new] = list(self.names[old])
        elif kind == "remove":
            name = self.random.choice(names)
            os.unlink(self.path(name))
            del self.names[name]
        elif kind == "append":
            name = self.random.choice(names)
            with open(self.path(name), "ab") as f:
                f.write(b".")
            for other in self.names.values():
                if other[1] == self.names[name][1]:
                    other[0] = self.names[name][0] + b"." if other is not self.names[name] else other[0]
            self.names[name][0] += b"."
        elif kind == "absent":
            assert not os.path.lexists(self.path(self.fresh())), "a name that nobody made"
        elif kind == "directory":
            name = self.fresh()
            os.mkdir(self.path(name))
            os.rmdir(self.path(name))
        else:
            self.check(self.random.choice(names))
        self.steps += 1

    def run(self, enough):
        while not os.path.exists(enough):
            for _ in range(50):
                self.step()
        for name in sorted(self.names):
            self.check(name)
        mine = {n for n in os.listdir(self.directory) if n.startswith(("w%d." % self.number, "low%d." % self.number))}
        assert mine == set(self.names), "names: %r too many, %r missing" % (sorted(mine - set(self.names))[:5], sorted(set(self.names) - mine)[:5])
        print("process %d: %d steps, %d names" % (self.number, self.steps, len(mine)), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--enough", required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    children = []
    for number in range(PROCESSES):
        child = os.fork()
        if child == 0:
            status = 1
            worker = Worker(options.directory, number, options.seed)
            try:
                worker.run(options.enough)
                status = 0
            except (AssertionError, OSError) as error:
                print("process %d, step %d: %r" % (number, worker.steps, error), flush=True)
            finally:
                os._exit(status)
        children.append(child)
    return 1 if any([os.waitpid(child, 0)[1] for child in children]) else 0


sys.exit(main())
