"""A sweep of 50,000 accounts in 17 Regions, computed and not run: how long it takes, what bounds it, and
what it costs. CPU time, calls and units are the measured ones; rates are AWS's published ones; how long
AWS takes to answer is assumed."""

ACCOUNTS, REGIONS = 50_000, 17

# Published (AWS Organizations, STS and SQS quotas), per second.
PAGES, PAGE = 8, 20
ASSUME_ROLE = 600
FIFO_CALLS = 300

# The template's: memory in MB, and seconds of an invocation after which a sweep goes on in another.
MEMORY, PLANNING = 256, 120 - 40
# Lambda gives a whole core's time at this many MB.
MB_PER_CORE = 1769

# Assumed, in seconds: a call to a service in the function's own Region; DynamoDB; the farthest
# Region's answer over a connection that stands; how soon a queued message reaches a function.
NEAR, TABLE, FARTHEST, HANDOVER = 0.030, 0.006, 0.300, 0.5

# us-east-1 list prices in US dollars, without free tiers and discounts.
PRICES = {
    "Lambda arm64, GB-second": 0.0000133334,
    "Lambda request": 0.20e-6,
    "SQS FIFO request": 0.50e-6,
    "DynamoDB on demand, write unit": 0.625e-6,
    "DynamoDB on demand, read unit": 0.125e-6,
    "CloudWatch Logs, GB taken in": 0.50,
}
# Bytes of log of one task, Lambda's own lines included; assumed.
LOG_BYTES = 2_000


def measure(records, concurrencies=(10, 50, 100, 200, 500, 1000)):
    """`records` is what records.py measured: an account's task in 17 Regions, all in sync."""
    figures = records["in sync"]
    on_a_core = figures["CPU-milliseconds per task"] / 1e3
    computing = on_a_core * MB_PER_CORE / MEMORY
    lookups = sum(figures["calls per task"].values())
    task = lookups * TABLE + NEAR + FARTHEST + computing
    # One page after another: a page, its accounts in batches of ten, and the pace.
    page = max(1 / PAGES, NEAR + PAGE / 10 * NEAR)
    pages = ACCOUNTS / PAGE
    listing = pages * page + pages * page // PLANNING * HANDOVER
    limits = {
        "ListAccounts": ACCOUNTS / listing,
        "the FIFO queue": FIFO_CALLS,
        "AssumeRole": ASSUME_ROLE,
    }
    sweeps = []
    for concurrency in concurrencies:
        rates = limits | {"the queue's concurrency": concurrency / task}
        bound = min(rates, key=rates.get)
        seconds = ACCOUNTS / rates[bound] + HANDOVER + task
        sweeps.append({"concurrency": concurrency, "seconds": seconds, "bound by": bound})
    return {
        "accounts": ACCOUNTS,
        "regions": REGIONS,
        "task seconds": task,
        "of these computing": computing,
        "accounts per second": limits,
        "concurrency that is enough": min(limits.values()) * task,
        "sweeps": sweeps,
        "calls": {
            "ListAccounts": pages,
            "AssumeRole": ACCOUNTS,
            "ListEnforcedGuardrailsConfiguration": ACCOUNTS * REGIONS,
        },
        "costs": costs(task, listing, figures),
    }


def costs(task, listing, figures):
    """Of one sweep in which everything is in sync. What each thing costs, in dollars."""
    gigabyte = MEMORY / 1024
    requests = ACCOUNTS / 10 + 2 * ACCOUNTS  # sent in tens; received and deleted one by one
    found = {
        "Lambda, duration": (ACCOUNTS * task + listing) * gigabyte * PRICES["Lambda arm64, GB-second"],
        "Lambda, requests": ACCOUNTS * PRICES["Lambda request"],
        "SQS": requests * PRICES["SQS FIFO request"],
        "DynamoDB, writes": ACCOUNTS
        * figures["write units per task"]
        * PRICES["DynamoDB on demand, write unit"],
        "DynamoDB, reads": ACCOUNTS * figures["read units per task"] * PRICES["DynamoDB on demand, read unit"],
        "CloudWatch Logs": ACCOUNTS * LOG_BYTES / 1e9 * PRICES["CloudWatch Logs, GB taken in"],
    }
    return found | {"together": sum(found.values())}
