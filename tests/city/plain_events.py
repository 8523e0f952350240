"""What happened in a period: counted one row at a time by what the indicators mean, without any SQL."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from shared.kernel.clock import BUSINESS_ZONE
from tests.city.plain_rows import Row, Rows, Said


class Events(Rows):
    """Datasets of what happens."""

    def usage(self) -> Iterator[Said]:
        names = {
            "voice_local": "local_seconds",
            "voice_long_distance": "long_distance_seconds",
            "voice_roaming": "roaming_seconds",
            "sms": "messages",
            "data": "data_kilobytes",
        }
        charged = {"voice_roaming": "roaming_charge_fen", "data": "data_charge_fen"}
        for u, _, level in self.of("usage_month"):
            if self.within(u["period"]):
                kind, charge = u["kind"], u["charge_fen"]
                values = {
                    names[kind]: u["quantity"],
                    "usage_charge_fen": charge,
                    "usage_records": 1,
                }
                values |= {"voice_seconds": u["quantity"] * kind.startswith("voice")}
                values |= {charged[kind]: charge} if kind in charged else {}
                yield (u["band"], level), values

    def activity(self) -> Iterator[Said]:
        for u, _, level in self.of("usage_month"):
            if self.within(u["period"]) and u["quantity"]:
                person = u["customer_id"].int
                data = person if u["kind"] == "data" else None
                yield (level,), {"active_customers": person, "data_users": data}

    def level_migration(self) -> Iterator[Said]:
        order = ("standard", "silver", "gold", "diamond")
        for g, c, _ in self.of("level_migration"):
            if self.within(g["at"]):
                steps = order.index(g["to_level"]) - order.index(g["from_level"])
                yield (
                    (g["from_level"], g["to_level"], c["kind"]),
                    {
                        "level_moves": 1,
                        "level_upgrades": steps > 0,
                        "level_downgrades": steps < 0,
                        "key_entries": g["from_level"] == "standard",
                        "key_exits": g["to_level"] == "standard",
                    },
                )

    def entries(self) -> Iterator[tuple[Row, int, Row]]:
        """Each entry of the ledger with the account that counts, and its customer."""
        accounts = {a["id"]: self.customers[a["customer_id"]] for a in self.rows["points_account"]}
        for e in self.rows["points_entry"]:
            account = e["credit_id"] if e["credit_id"] in accounts else e["debit_id"]
            yield e, account, accounts[account]

    def points(self) -> Iterator[Said]:
        names = {
            "accrual": "points_issued",
            "correction": "points_corrected",
            "redemption": "points_redeemed",
            "reversal": "points_returned",
            "expiry": "points_expired",
            "transfer": "points_given",
            "forfeiture": "points_forfeited",
        }
        for e, _, c in self.entries():
            if self.within(e["at"]):
                by_hand = "points_granted" if e["credit_id"] >= 1000 else "points_withdrawn"
                name = names.get(e["kind"], by_hand)
                yield (self.levels[c["id"]], c["kind"]), {name: e["points"], "points_entries": 1}

    def liability(self) -> Iterator[Said]:
        accounts = {a["id"]: self.customers[a["customer_id"]] for a in self.rows["points_account"]}
        held: dict[int, int] = defaultdict(int)
        soon: dict[int, int] = defaultdict(int)
        for e in self.rows["points_entry"]:
            if e["at"] >= self.after_at:
                continue
            for account, points in ((e["credit_id"], e["points"]), (e["debit_id"], -e["points"])):
                held[account] += points
                soon[account] += points * (e["expires_on"] < self.after + timedelta(days=90))
        for account, c in accounts.items():
            if held[account]:
                values: dict[str, int | None] = {
                    "points_liability": held[account],
                    "points_accounts": 1,
                    "points_expiring": soon[account],
                }
                yield (self.levels[c["id"]], c["kind"]), values

    def redemption(self) -> Iterator[Said]:
        for r, _, level in self.of("redemption"):
            key = (r["reward_code"], level)
            if self.within(r["at"]):
                yield (
                    key,
                    {
                        "redemptions": 1,
                        "rewards_taken": r["quantity"],
                        "redemption_points": r["points"],
                    },
                )
            if r["state"] in {"cancelled", "reversed"} and self.within(r["settled_at"]):
                yield key, {"redemptions_returned": 1}

    def offer(self) -> Iterator[Said]:
        grants = {g["id"]: g for g in self.rows["offer_grant"]}
        for g in grants.values():
            if self.within(g["granted_on"]) and g["state"] not in {"proposed", "refused"}:
                values = {"offer_grants": 1, "offer_uses_granted": g["uses"]}
                yield (g["offer_code"], g["level"]), values
        for u in self.rows["offer_use"]:
            if self.within(u["used_on"]):
                yield (
                    (u["offer_code"], grants[u["grant_id"]]["level"]),
                    {
                        "offer_uses": u["uses"],
                        "offer_reversals": u["uses"] < 0,
                        "offer_cost_fen": u["cost_fen"],
                    },
                )

    def prospect(self) -> Iterator[Said]:
        latest = {}
        for e in self.rows["prospect_event"]:
            if e["at"] < self.after_at:
                latest[e["prospect_id"]] = e
            if self.within(e["at"]):
                act = e["act"]
                yield (
                    (e["target"],),
                    {
                        "prospects_found": act == "find",
                        "prospects_qualified": act == "qualify",
                        "prospects_converted": act == "convert",
                        "prospects_closed": act in {"convert", "disqualify", "drop", "lapse"},
                        "conversion_days": e["days"] * (act == "convert"),
                    },
                )
        for e in latest.values():
            values = {"prospects_open": e["to_state"] in {"found", "qualified", "nurtured"}}
            yield (e["target"],), dict(values)

    def departure(self) -> Iterator[Said]:
        for c in self.customers.values():
            if self.within(c["left_on"]):
                rival = c["left_competitor"]
                yield (
                    (c["left_reason"] or "unknown", rival or "none", self.levels[c["id"]]),
                    {
                        "departures": 1,
                        "departed_charge_fen": c["monthly_charge_fen"],
                        "departed_to_competitor": rival is not None,
                    },
                )

    def win_back(self) -> Iterator[Said]:
        for w, _, level in self.of("win_back_attempt"):
            if self.within(w["at"]):
                back = w["result"] == "returned"
                yield (
                    (w["channel"], w["result"], level),
                    {
                        "win_back_attempts": 1,
                        "win_back_refusals": w["result"] == "declined",
                        "customers_returned": back,
                        "returned_charge_fen": back * w["lost_monthly_charge_fen"],
                    },
                )

    def interaction(self) -> Iterator[Said]:
        names = {
            "inquiry": "inquiries",
            "complaint": "complaints",
            "fault": "faults",
            "visit": "visits",
            "outreach": "outreaches",
        }
        for i, _, level in self.of("interaction"):
            if self.within(i["at"]):
                values = {"interactions": 1, "key_interactions": level != "standard"}
                values |= {names[i["kind"]]: 1} if i["kind"] in names else {}
                yield (i["channel"], i["kind"], level), dict(values)

    def verification(self) -> Iterator[Said]:
        for t, _, level in self.of("verification_task"):
            closed, state = self.within(t["closed_at"]), t["state"]
            in_time = closed and t["closed_at"].astimezone(BUSINESS_ZONE).date() <= t["due_on"]
            yield (
                (t["reason"], level),
                {
                    "verifications_due": self.within(t["created_at"]),
                    "verifications_closed": closed,
                    "profiles_verified": closed and state == "verified",
                    "profiles_corrected": closed and state == "corrected",
                    "customers_unreachable": closed and state == "unreachable",
                    "verifications_on_time": in_time,
                },
            )

    def request(self) -> Iterator[Said]:
        for r in self.rows["service_request"]:
            ended = self.within(r["ended_at"])
            lasted = (r["ended_at"] - r["created_at"]) // timedelta(minutes=1) if ended else 0
            yield (
                (r["kind"], r["role"]),
                {
                    "requests_made": self.within(r["created_at"]),
                    "requests_ended": ended,
                    "requests_refused": ended and r["refusal_code"] is not None,
                    "requests_on_time": ended and r["ended_at"] <= r["deadline"],
                    "request_minutes": lasted,
                },
            )

    def request_time(self) -> Iterator[Said]:
        for r in self.rows["service_request"]:
            if self.within(r["ended_at"]):
                lasted = (r["ended_at"] - r["created_at"]) // timedelta(minutes=1)
                yield (r["kind"], r["role"]), {"median_request_minutes": lasted}
