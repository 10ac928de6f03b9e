"""The file system as a crash leaves it: a write log (writelog.c) replayed up to any point.

Files and folders are objects. Each file keeps what the disk surely has (`durable`) and what was done since
the last fsync; each folder likewise, for names. A process that dies leaves everything done. A power cut
leaves what is durable and any part of the rest; `STATES` picks parts that are known to break writers:
unsynced bytes lost, zeroed or torn at 512 bytes, unsynced names lost, kept, or some of each.
"""
import os
import random
import struct
from dataclasses import dataclass, field

(OPEN, CLOSE, WRITE, TRUNCATE, SYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR, DUP, ALLOCATE, UNKNOWN) = range(1, 14)
SECTOR = 512


def read_log(path):
    """The operations of a log, as (op, fd, a, b, x, y)."""
    with open(path, "rb") as file:
        data = file.read()
    head, at, operations = struct.Struct("<BiqqII"), 0, []
    while at < len(data):
        op, fd, a, b, nx, ny = head.unpack_from(data, at)
        at += head.size
        x, y = data[at:at + nx], data[at + nx:at + nx + ny]
        at += nx + ny
        assert op != UNKNOWN, f"the writer called {x.decode()}, which the log cannot follow"
        named = op in (OPEN, RENAME, LINK, UNLINK, MKDIR, RMDIR)
        operations.append((op, fd, a, b, x.decode() if named else x, y.decode()))
    return operations


@dataclass
class File:
    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list = field(default_factory=list)  # (offset, bytes), or (length, None) for a change of length

    def write(self, offset, part):
        apply(self.data, (offset, part))
        self.pending.append((offset, part))

    def resize(self, length):
        apply(self.data, (length, None))
        self.pending.append((length, None))

    def sync(self):
        self.durable, self.pending = bytes(self.data), []


def apply(data, change):
    offset, part = change
    if part is None:
        del data[offset:]
        data.extend(bytes(offset - len(data)))
    else:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset:offset + len(part)] = part


@dataclass
class Folder:
    names: dict = field(default_factory=dict)
    durable: dict = field(default_factory=dict)
    pending: list = field(default_factory=list)  # functions that change a dictionary of names

    def change(self, does):
        does(self.names)
        self.pending.append(does)

    def sync(self):
        self.durable, self.pending = dict(self.names), []


class Disk:
    """What the operations so far have made of the folder `root`."""

    def __init__(self, root, syncs=True):
        self.root, self.syncs = root, syncs
        self.top = Folder()
        self.open = {}

    def load(self, name, files):
        """Puts a folder of files there that has been durable for long."""
        folder = Folder({n: File(bytearray(b), b) for n, b in files.items()})
        folder.sync()
        self.top.change(lambda names: names.__setitem__(name, folder))
        self.top.sync()

    def _find(self, path):
        here = self.top
        for part in [p for p in path[len(self.root):].split("/") if p]:
            here = here.names.get(part) if isinstance(here, Folder) else None
        return here

    def _parent(self, path):
        folder, name = os.path.split(path)
        return self._find(folder), name

    def step(self, operation):
        op, fd, a, b, x, y = operation
        if op == OPEN:
            item = self._find(x)
            if item is None:
                assert a & os.O_CREAT, f"{x} was opened but the log has never seen it"
                folder, name = self._parent(x)
                item = File()
                folder.change(lambda names, item=item: names.__setitem__(name, item))
            elif a & os.O_TRUNC and isinstance(item, File) and item.data:
                item.resize(0)
            self.open[fd] = item
        elif op == CLOSE:
            del self.open[fd]
        elif op == DUP:
            self.open[a] = self.open[fd]
        elif op == WRITE:
            self.open[fd].write(a, x)
        elif op == TRUNCATE:
            self.open[fd].resize(a)
        elif op == ALLOCATE:
            assert b == 0, "fallocate with a mode"
            if a > len(self.open[fd].data):
                self.open[fd].resize(a)
        elif op == SYNC:
            if self.syncs:
                self.open[fd].sync()
        elif op in (RENAME, LINK):
            item = self._find(x)
            folder, name = self._parent(x)
            other, new = self._parent(y)
            if op == LINK:
                other.change(lambda names, item=item, new=new: names.__setitem__(new, item))
                return
            assert folder is other, "a file moves between folders"

            def move(names):
                if op == RENAME and names.get(name) is item:
                    del names[name]
                names[new] = item
            folder.change(move)
        elif op in (UNLINK, RMDIR):
            folder, name = self._parent(x)
            folder.change(lambda names: names.pop(name, None))
        elif op == MKDIR:
            folder, name = self._parent(x)
            item = Folder()
            folder.change(lambda names: names.__setitem__(name, item))

    def state(self, names, content):
        """The tree of files as {path: bytes, folder: None}, names and bytes chosen by two functions."""
        tree = {}

        def walk(folder, prefix):
            for name, item in sorted(names(folder).items()):
                path = f"{prefix}{name}"
                if isinstance(item, Folder):
                    tree[path] = None
                    walk(item, path + "/")
                else:
                    tree[path] = content(item)
        walk(self.top, "")
        return tree


# Which names a crash leaves.
def names_kept(folder):
    return folder.names


def names_lost(folder):
    return folder.durable


def names_some(chance):
    def choose(folder):
        names = dict(folder.durable)
        for change in folder.pending:
            if chance.random() < 0.5:
                change(names)
        return names
    return choose


# Which bytes a crash leaves.
def bytes_kept(file):
    return bytes(file.data)


def bytes_lost(file):
    return file.durable


def bytes_zeroed(file):
    """The length has reached the disk, the bytes have not."""
    out = bytearray(file.durable)
    for offset, part in file.pending:
        apply(out, (offset, part if part is None else bytes(len(part))))
    return bytes(out)


def bytes_torn(chance):
    def choose(file):
        out = bytearray(file.durable)
        for offset, part in file.pending:
            if part is None:
                if chance.random() < 0.5:
                    apply(out, (offset, None))
                continue
            at = 0
            while at < len(part):
                end = min(len(part), (offset + at) // SECTOR * SECTOR + SECTOR - offset)
                if chance.random() < 0.5:
                    apply(out, (offset + at, part[at:end]))
                at = end
        return bytes(out)
    return choose


def power_cuts(disk, chance):
    """States that a power cut may leave, each with its name."""
    yield "names kept, bytes lost", disk.state(names_kept, bytes_lost)
    yield "names kept, bytes zeroed", disk.state(names_kept, bytes_zeroed)
    yield "names kept, bytes torn", disk.state(names_kept, bytes_torn(chance))
    yield "names lost, bytes kept", disk.state(names_lost, bytes_kept)
    yield "names lost, bytes lost", disk.state(names_lost, bytes_lost)
    yield "some names, bytes torn", disk.state(names_some(chance), bytes_torn(chance))


def materialise(tree, root):
    """Writes a state below `root`, an empty folder."""
    for path, content in tree.items():
        full = os.path.join(root, path)
        if content is None:
            os.mkdir(full)
        else:
            with open(full, "wb") as file:
                file.write(content)


def half_written(operation):
    """An operation of which the kernel had done only a part when the process was killed; None for others."""
    op, fd, a, b, x, y = operation
    return (op, fd, a, b, x[:len(x) // 2], y) if op == WRITE and len(x) > 1 else None


def seeded(text):
    return random.Random(text)
