"""Python's multiprocessing as a peer: lines of words in, lines of numbers out, until the input ends.

bench/src/peers/python.rs runs and asks it. The words are those of boost.cpp, and

  (of `texts` a key is 32 hexadecimal digits, its value 100, and the sum is that of the values' last bytes)
  flow COUNT    -> nanoseconds right            so many numbers from one process to another
  trips COUNT   -> median 99-of-100 right       nanoseconds there and back, one after the other
"""

import array
import multiprocessing
import sys
import time

MASK = (1 << 64) - 1


def timed(work):
    start = time.monotonic_ns()
    total = work()
    print(time.monotonic_ns() - start, total & MASK, flush=True)


def manager(act):
    batches = []
    with multiprocessing.Manager() as server:
        shared = server.dict()
        for line in sys.stdin:
            words = line.split()
            if words[0] == "keys":
                keys = array.array("Q")
                with open(words[2], "rb") as file:
                    keys.fromfile(file, int(words[1]))
                batches.append(keys)
                print(len(keys), flush=True)
            elif words[0] == "clear":
                shared.clear()
                print(0, flush=True)
            else:
                timed(lambda: act(shared, words[0], batches[int(words[1])]))


def act_on_texts(shared, verb, keys):
    if verb == "insert":
        for key in keys:
            shared[f"{key:032x}"] = f"{key:0100x}"
        return len(keys)
    return sum(ord(shared[f"{key:032x}"][-1]) for key in keys)


def act(shared, verb, keys):
    total = 0
    if verb == "insert":
        for key in keys:
            shared[key] = key
            total += 1
    elif verb == "get":
        for key in keys:
            total += shared.get(key, 1)
    elif verb == "update":
        for key in keys:
            value = (shared[key] + 1) & MASK
            shared[key] = value
            total += value
    elif verb == "remove":
        for key in keys:
            total += shared.pop(key)
    elif verb == "iterate":
        total = sum(shared.values())
    return total


def echo(there, back):
    while (value := there.get()) is not None:
        back.put(value)


def feed(there, numbers):
    while (count := numbers.get()) is not None:
        for number in range(count):
            there.put(number)


def queue():
    there, back, numbers, trips = (multiprocessing.Queue() for _ in range(4))
    children = [
        multiprocessing.Process(target=feed, args=(there, numbers), daemon=True),
        multiprocessing.Process(target=echo, args=(trips, back), daemon=True),
    ]
    for child in children:
        child.start()
    for line in sys.stdin:
        verb, count = line.split()[0], int(line.split()[1])
        if verb == "flow":
            numbers.put(count)
            timed(lambda: sum(there.get() == number for number in range(count)))
        else:
            times = sorted(trip(trips, back, number) for number in range(count))
            print(times[count // 2], times[(count - 1) * 99 // 100], count, flush=True)
    numbers.put(None)
    trips.put(None)
    for child in children:
        child.join()


def trip(there, back, number):
    start = time.monotonic_ns()
    there.put(number)
    if back.get() != number:
        raise ValueError("another number came back")
    return time.monotonic_ns() - start


if __name__ == "__main__":
    {"manager": lambda: manager(act), "texts": lambda: manager(act_on_texts), "queue": queue}[sys.argv[1]]()
