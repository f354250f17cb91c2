#!/usr/bin/env python3
"""The rules of record replication as a small executable model (docs/records.md).

A few sites write, exchange logs and pages, lose cables, cut their logs, are wiped and restored, all
from one seed. At the end everything is exchanged, and every site must have what the oracle says: all
pairs that known operations set, less all pairs that known operations removed.

    records_model.py [SCHEDULES [FIRST]]    all variants; fails if one of them is not as it must be

It shares nothing with the code in C: where the two disagree, one of them is wrong. It is also where
a change of the rules is tried first. Verdicts of a schedule:

    STUCK      a site did not become clean
    LOST       a pair is missing        EXTRA      a pair is there that was removed
    DIVERGED   two sites differ         CLOCKS     two sites have different clocks
"""
import collections
import copy
import random
import sys
import time

KEYS = "abcdefg"
FIELDS = ("x", "y", "z")
STEPS = 70

Op = collections.namedtuple("Op", "dot key set removed")  # removed: (field, dot)
Segment = collections.namedtuple("Segment", "number lo hi clock is_void")
Rules = collections.namedtuple("Rules", "rescues owes bug")
RULES = Rules(rescues=True, owes=True, bug=None)


# --- clocks: actor -> counter, contiguous ---

def has(clock, dot):
    return clock.get(dot[0], 0) >= dot[1]


def join(a, b):
    return {actor: max(a.get(actor, 0), b.get(actor, 0)) for actor in {*a, *b}}


def meet(a, b):
    return {actor: min(counter, b[actor]) for actor, counter in a.items() if actor in b}


def covers(a, b):
    return all(a.get(actor, 0) >= counter for actor, counter in b.items())


class Site:
    """A replica: store is key -> field -> set of dots; a value is as good as its dot."""

    def __init__(self, world, number, incarnation):
        self.world = world
        self.actor = (number, incarnation)
        self.cc, self.floor = {}, {}
        self.store, self.log = {}, []
        self.is_passing = False
        self.cursor, self.number = "", 0
        self.segments, self.clocks = [], []  # clocks: of the pages of this pass
        self.suspects, self.owed = set(), set()  # (key, field, dot)

    # --- what is there ---

    def is_late(self):
        return self.is_passing or bool(self.segments)

    def pairs(self, key):
        return {(field, dot) for field, dots in self.store.get(key, {}).items() for dot in dots}

    def put_pairs(self, key, pairs):
        record = {}
        for field, dot in pairs:
            record.setdefault(field, set()).add(dot)
        if record:
            self.store[key] = record
        else:
            self.store.pop(key, None)

    def holding(self, key):
        return [s for s in self.segments if s.lo < key and (s.hi is None or key <= s.hi)]

    def reflected(self, key):
        """E(k): what the stored state of a key reflects."""
        clock = self.cc
        if self.world.rules.bug == "segments":
            return clock
        for segment in self.holding(key):
            clock = join(clock, segment.clock)
        return clock

    def suspect(self, key, field, dot):
        is_void = any(s.is_void for s in self.holding(key))
        (self.owed if is_void else self.suspects).add((key, field, dot))

    # --- writing ---

    def commit(self, key, fields, removed, replaced=()):
        """An own operation; `replaced` goes too, without being named in it."""
        dot = (self.actor, self.cc.get(self.actor, 0) + 1)
        op = Op(dot, key, tuple(fields), tuple(removed))
        assert dot not in self.world.ops, "a dot is used twice"
        self.world.ops[dot] = op
        kept = self.pairs(key) - set(removed) - set(replaced)
        self.put_pairs(key, kept | {(field, dot) for field in fields})
        self.cc = join(self.cc, {dot[0]: dot[1]})
        self.log.append(op)

    def write(self, key, fields, is_erasing=False):
        seen = {p for p in self.pairs(key) if is_erasing or p[0] in fields}
        if is_erasing and not seen:
            return
        unknown = set()
        if self.world.rules.owes:  # nobody may have to wait for what may never come
            unknown = {(field, dot) for field, dot in seen if not has(self.cc, dot)}
        self.owed |= {(key, field, dot) for field, dot in unknown}
        self.world.replaced |= {(self.actor, key, field, dot) for field, dot in seen}
        self.commit(key, () if is_erasing else fields, seen - unknown, unknown)

    # --- operations of others ---

    def apply(self, op):
        """False: it has to wait."""
        bug = self.world.rules.bug
        if has(self.cc, op.dot):
            return True
        if self.cc.get(op.dot[0], 0) != op.dot[1] - 1:
            return False
        if bug != "dependencies" and not all(has(self.cc, dot) for _, dot in op.removed):
            return False
        pairs = self.pairs(op.key) - set(op.removed)
        is_reflected = has(self.reflected(op.key), op.dot)
        for field in op.set:
            if not is_reflected:
                pairs.add((field, op.dot))
            elif (field, op.dot) not in pairs:
                self.suspect(op.key, field, op.dot)
        self.put_pairs(op.key, pairs)
        self.cc = join(self.cc, {op.dot[0]: op.dot[1]})
        self.log.append(op)
        self.settle()
        return True

    # --- pages ---

    def begin_pass(self):
        self.is_passing = True
        self.cursor, self.clocks = "", []
        self.number += 1

    def merge_page(self, key, theirs, clock):
        mine, known, out = self.pairs(key), self.reflected(key), set()
        for pair in mine:
            if pair in theirs or not has(clock, pair[1]):
                out.add(pair)
            else:
                self.suspect(key, *pair)
        for pair in theirs - mine:
            if not has(known, pair[1]):
                out.add(pair)
            else:
                self.suspect(key, *pair)
        self.put_pairs(key, out)

    def take_page(self, source, size):
        clock = dict(source.cc)
        stored = sorted(k for k in {*source.store, *self.store} if k > self.cursor)
        keys = stored[:size]
        hi = keys[-1] if len(stored) > size else None
        for key in keys:
            self.merge_page(key, source.pairs(key), clock)
            if self.world.rules.bug == "claims":  # the dots of a page without their causal past
                for _, dot in source.pairs(key):
                    self.cc = join(self.cc, {dot[0]: dot[1]})
        self.segments.append(Segment(self.number, self.cursor, hi, clock, False))
        for key in KEYS:
            if key > self.cursor and (hi is None or key <= hi):
                self.world.seen[key] = join(self.world.seen.get(key, {}), clock)
        self.clocks.append(clock)
        if hi is None:
            self.end_pass()
        else:
            self.cursor = hi

    def end_pass(self):
        common = self.clocks[0]
        for clock in self.clocks[1:]:
            common = meet(common, clock)
        raised = {a: c for a, c in common.items() if c > self.cc.get(a, 0)}
        self.log = [op for op in self.log if op.dot[0] not in raised]
        self.cc, self.floor = join(self.cc, raised), join(self.floor, raised)
        self.is_passing = False
        self.settle()

    def settle(self):
        if self.is_passing:
            return
        self.segments = [s for s in self.segments if not covers(self.cc, s.clock)]
        if self.segments:
            return
        owed, self.owed, self.suspects = self.owed, set(), set()
        for key, field, dot in sorted(owed):
            if has(self.cc, dot) and (field, dot) not in self.pairs(key):
                self.commit(key, (), [(field, dot)])

    def rescue(self, known):
        """What nobody's clock will ever cover becomes an own operation."""
        known = join(known, self.cc)
        self.world.given_up |= {dot for _, _, dot in self.owed if not has(known, dot)}
        for key in sorted(self.store):
            lost = sorted(p for p in self.pairs(key) if not has(known, p[1]))
            for dot in sorted({dot for _, dot in lost}):
                replaced = [p for p in lost if p[1] == dot]
                self.commit(key, [field for field, _ in replaced], (), replaced)
        for i, s in enumerate(self.segments):
            if not covers(known, s.clock):
                lowered = meet(s.clock, known)
                self.segments[i] = s._replace(clock=lowered, is_void=True)
        self.owed |= {(key, field, dot) for key, field, dot in self.suspects
                      if any(s.is_void for s in self.holding(key))}
        self.suspects -= self.owed
        self.begin_pass()  # it shows what else the lost operations made go

    def cancel_pass(self):
        """Nobody is clean, and no page came: this site is the source."""
        if not any(s.number == self.number or not covers(self.cc, s.clock) for s in self.segments):
            self.is_passing = False
            self.settle()


class World:
    """Sites and what happens to them."""

    def __init__(self, seed, features, rules):
        self.random = random.Random(seed)
        self.features, self.rules = features, rules
        self.ops = {}
        self.seen = {}  # key -> the clocks of all pages of it that anybody took
        self.given_up = set()  # dots that a rescue held lost: they may come back as a conflict
        self.replaced = set()  # (actor, key, field, dot): by an own write of that actor
        self.count = self.random.randint(2, 5)
        self.incarnations = [0] * self.count
        self.images = {}
        self.sites = [Site(self, i, 0) for i in range(self.count)]

    def chance(self, share):
        return self.random.random() < share

    def write_something(self, site):
        key = self.random.choice(KEYS)
        if self.chance(0.25):
            site.write(key, (), True)
        else:
            site.write(key, self.random.sample(FIELDS, self.random.randint(1, 2)))

    # --- exchange ---

    def pull_log(self, source, to, is_calm):
        """False: the log does not reach back far enough."""
        waiting = list(source.log)
        if not covers(to.cc, source.floor):
            if not source.is_late():
                return False
            waiting = [op for op in waiting if op.dot[0] == source.actor]
        if self.rules.bug == "dependencies" and not is_calm:
            self.random.shuffle(waiting)
        moved = True
        while waiting and moved:
            moved, held = False, []
            for op in waiting:
                if not is_calm and self.chance(0.04):
                    return True  # the line was cut
                if has(to.cc, op.dot):
                    continue
                if to.apply(op):
                    moved = True
                else:
                    held.append(op)
                if not is_calm and self.chance(0.1):
                    self.write_something(self.random.choice((source, to)))
            waiting = held
        return True

    def pull_pages(self, source, to, is_calm):
        if source.is_late() and self.rules.bug != "late serves":
            return
        if not to.is_passing:
            to.begin_pass()
        for _ in range(3 if is_calm else self.random.randint(1, 3)):
            to.take_page(source, len(KEYS) if is_calm else 2)
            if not to.is_passing:
                return
            if not is_calm and self.chance(0.5):
                self.write_something(self.random.choice((source, to)))

    def pull(self, source, to, is_calm=False):
        if to.is_passing or not self.pull_log(source, to, is_calm):
            self.pull_pages(source, to, is_calm)

    def rescue(self, site):
        if site.is_late() and self.rules.rescues:
            known = {}
            is_alone = all(s.is_late() for s in self.sites) and site is self.sites[0]
            for other in self.sites if not is_alone else ():
                known = join(known, other.cc)
            site.rescue(known)
            if is_alone:  # nobody is clean: one site has to be
                site.cancel_pass()

    # --- accidents ---

    def new_actor(self, number):
        self.incarnations[number] += 1
        return self.incarnations[number]

    def cut_log(self, site):
        count = self.random.randint(0, len(site.log))
        for op in site.log[:count]:
            site.floor = join(site.floor, {op.dot[0]: op.dot[1]})
        site.log = site.log[count:]

    def restore(self, number):
        memo = {id(self): self}
        self.sites[number] = copy.deepcopy(self.images[number], memo)
        if self.rules.bug != "reuse":
            self.sites[number].actor = (number, self.new_actor(number))

    def wipe(self, number):
        self.sites[number] = Site(self, number, self.new_actor(number))
        self.images.pop(number, None)

    def step(self):
        number = self.random.randrange(self.count)
        site, dice = self.sites[number], self.random.random()
        if dice < 0.40:
            self.write_something(site)
        elif dice < 0.83:
            source = self.random.choice(self.sites)
            if source is not site:
                self.pull(source, site)
        elif dice < 0.88:
            if "T" in self.features:
                self.cut_log(site)
        elif dice < 0.92:
            self.images[number] = copy.deepcopy(site, {id(self): self})
        elif dice < 0.95:
            if "B" in self.features and number in self.images:
                self.restore(number)
        elif dice < 0.98:
            if "W" in self.features and sum(not s.is_late() for s in self.sites) > 1:
                self.wipe(number)
        elif "R" in self.features:
            self.rescue(site)

    # --- the end ---

    def settle(self):
        for _ in range(4):
            for _ in range(5):
                for source in self.sites:
                    for to in self.sites:
                        if source is not to:
                            self.pull(source, to, True)
            for site in self.sites:
                self.rescue(site)

    def pairs_of(self, is_known):
        """What those operations set, and what they removed."""
        known = [op for op in self.ops.values() if is_known(op)]
        return ({(op.key, field, op.dot) for op in known for field in op.set},
                {(op.key, *pair) for op in known for pair in op.removed})

    def may_be_gone(self, op):
        """It was lost with its site, but what it replaced was gone from a page already."""
        return has(self.seen.get(op.key, {}), op.dot)

    def verdict(self):
        if any(site.is_late() for site in self.sites):
            return "STUCK"
        states = [{(key, *p) for key in s.store for p in s.pairs(key)} for s in self.sites]
        if any(state != states[0] for state in states):
            return "DIVERGED"
        if any(site.cc != self.sites[0].cc for site in self.sites):
            return "CLOCKS"
        put, removed = self.pairs_of(lambda op: has(self.sites[0].cc, op.dot))
        _, gone = self.pairs_of(self.may_be_gone)
        living = {site.actor for site in self.sites}
        removed |= {pair[1:] for pair in self.replaced
                    if pair[0] in living and pair[3] not in self.given_up}
        if states[0] - (put - removed):
            return "EXTRA"
        return "LOST" if put - removed - gone - states[0] else "right"


def run(seed, features, rules):
    world = World(seed, features, rules)
    try:
        for _ in range(STEPS):
            world.step()
        world.settle()
    except AssertionError:
        return "TWICE"
    return world.verdict()


VARIANTS = (  # name, features, rules, whether all schedules must be right
    ("logs only", "", RULES, True),
    ("logs that are cut", "T", RULES, True),
    ("wiped sites", "W", RULES, True),
    ("restored sites", "B", RULES, True),
    ("all of it", "TWB", RULES, True),
    ("all of it, rescued at any time", "TWBR", RULES, True),
    ("without rescue", "TWB", RULES._replace(rescues=False), False),
    ("own writes name what may be lost", "TWB", RULES._replace(owes=False), False),
    ("bug: no dependency check", "", RULES._replace(bug="dependencies"), False),
    ("bug: no segments", "WT", RULES._replace(bug="segments"), False),
    ("bug: a page's dots are claimed", "WT", RULES._replace(bug="claims"), False),
    ("bug: a late site serves", "TWB", RULES._replace(bug="late serves"), False),
    ("bug: a dot is used again", "B", RULES._replace(bug="reuse"), False),
)


def run_variant(name, features, rules, must_hold, seeds):
    """One that must fail ends with its first wrong schedule."""
    start = time.monotonic()
    verdicts = collections.Counter()
    wrong = []
    for seed in seeds:
        verdict = run(seed, features, rules)
        verdicts[verdict] += 1
        if verdict != "right":
            wrong.append((seed, verdict))
            if not must_hold:
                break
    print(f"{name}: {dict(verdicts)} {wrong[:4]} {time.monotonic() - start:.1f} s", flush=True)
    return must_hold == (not wrong)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    results = [
        run_variant(name, features, rules, must_hold,
                    range(first, first + (count if must_hold else 20 * count)))
        for name, features, rules, must_hold in VARIANTS
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
