"""Customers, what they hold, and bills: counted one row at a time by what the indicators mean, without any SQL."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from shared.statistics.period import Period
from tests.city.plain_rows import Row, Rows, Said, band, months_between


class States(Rows):
    """Datasets of the state at a period's end, and of bills."""

    def customer(self) -> Iterator[Said]:
        lines: dict[Any, int] = defaultdict(int)
        for line in self.rows["subscription"]:
            lines[line["customer_id"]] += self.holds(line["entry_date"], line["ended_on"])
        for c in self.customers.values():
            if c["entry_date"] >= self.after:
                continue
            level, charge = self.levels[c["id"]], c["monthly_charge_fen"]
            here, lost = self.holds(c["entry_date"], c["left_on"]), self.within(c["left_on"])
            key = level != "standard"
            yield (
                (level, c["contract_term"], self.tenure_band(c), c["sex"]),
                {
                    "customers": here,
                    "group_customers": here and c["kind"] == "group",
                    "key_customers": here and key,
                    "long_contract_customers": here and c["contract_term"].endswith("year"),
                    "retained_customers": not here,
                    "new_customers": c["entry_date"] >= self.first,
                    "lost_customers": lost,
                    "lost_key_customers": lost and key,
                    "customers_exposed": here or lost,
                    "tenure_months": here * self.tenure(c),
                    "subscriptions": here * lines[c["id"]],
                    "monthly_charge_fen": here * charge,
                    "key_monthly_charge_fen": here * key * charge,
                    "lost_monthly_charge_fen": lost * charge,
                    "highest_monthly_charge_fen": charge if here else None,
                },
            )

    def people(self) -> Iterator[Said]:
        for c in self.customers.values():
            if c["entry_date"] < self.after:
                here, lost = self.holds(c["entry_date"], c["left_on"]), self.within(c["left_on"])
                yield (
                    (self.levels[c["id"]],),
                    {
                        "distinct_customers": c["id"].int if here or lost else None,
                        "median_monthly_charge_fen": c["monthly_charge_fen"] if here else None,
                        "median_tenure_months": self.tenure(c) if here else None,
                    },
                )

    def bills_of(self, wanted: Callable[[Row], bool]) -> dict[Any, list[Row]]:
        found = defaultdict(list)
        for bill in self.rows["bill"]:
            if wanted(bill):
                found[bill["customer_id"]].append(bill)
        return found

    def revenue(self) -> Iterator[Said]:
        for customer, bills in self.bills_of(lambda b: self.within(b["period"])).items():
            c, charges = self.customers[customer], [b["charge_fen"] for b in bills]
            yield (
                (self.levels[customer], c["contract_term"], self.tenure_band(c), c["sex"]),
                {
                    "billed_customers": 1,
                    "bills": len(bills),
                    "billed_revenue_fen": sum(charges),
                    "highest_bill_fen": max(charges),
                },
            )

    def payment(self) -> Iterator[Said]:
        for bill, c, level in self.of("bill"):
            if not self.within(bill["period"]) or not bill["charge_fen"]:
                continue
            due = Period.of(bill["period"], Period.parse("2026-01").kind).next.end
            paid = bill["paid_on"]
            yield (
                (level, self.tenure_band(c)),
                {
                    "payable_bills": 1,
                    "payable_fen": bill["charge_fen"],
                    "paid_bills": paid is not None,
                    "paid_fen": bill["charge_fen"] * (paid is not None),
                    "bills_on_time": paid is not None and paid < due,
                    "bills_late": paid is not None and paid >= due,
                },
            )

    def arrears(self) -> Iterator[Said]:
        ratings = {r["customer_id"]: r["rating"] for r in self.rows["credit_result"]}

        def overdue(bill: Row) -> bool:
            due = Period.of(bill["period"], Period.parse("2026-01").kind).next.end
            unpaid = bill["paid_on"] is None or bill["paid_on"] >= self.after
            return bill["charge_fen"] > 0 and due <= self.after and unpaid

        for customer, bills in self.bills_of(overdue).items():
            age = months_between(min(b["period"] for b in bills), self.after) - 1
            limits = ((1, "1"), (3, "2-3"), (6, "4-6"), (12, "7-12"))
            owed = sum(b["charge_fen"] for b in bills)
            key = (
                band(age, *limits, beyond="13+"),
                self.levels[customer],
                ratings.get(customer, "unknown"),
            )
            yield (
                key,
                {
                    "customers_in_arrears": 1,
                    "arrears_bills": len(bills),
                    "arrears_fen": owed,
                    "highest_arrears_fen": owed,
                },
            )

    def individual(self) -> Iterator[Said]:
        ages = ((17, "0-17"), (25, "18-25"), (35, "26-35"), (45, "36-45"), (55, "46-55"))
        spends = ((9_999, "0-99"), (29_999, "100-299"), (69_999, "300-699"), (169_999, "700-1699"))
        for c in self.present():
            if c["kind"] != "individual":
                continue
            born, last = c["birth_date"], self.after - timedelta(days=1)
            age = "unknown"
            if born is not None:
                years = last.year - born.year - ((last.month, last.day) < (born.month, born.day))
                age = band(years, *ages, (65, "56-65"), beyond="66+")
            charge = c["monthly_charge_fen"]
            yield (
                (self.levels[c["id"]], age, c["sex"], band(charge, *spends, beyond="1700+")),
                {
                    "individual_customers": 1,
                    "individual_charge_fen": charge,
                    "high_spend_customers": charge >= 30_000,
                    "birthday_customers": born is not None and born.month == self.first.month,
                    "managed_individuals": c["manager_id"] is not None,
                },
            )

    def group(self) -> Iterator[Said]:
        enterprises = {e["customer_id"]: e for e in self.rows["enterprise"]}
        for c in self.present():
            if c["kind"] != "group":
                continue
            e = enterprises.get(c["id"])
            mine = [a for a in self.rows["agreement"] if a["customer_id"] == c["id"]]
            valid = [a for a in mine if self.holds(a["starts_on"], a["expires_on"])]
            soon = self.after + timedelta(days=90)
            yield (
                (
                    (e and e["industry_code"]) or "unknown",
                    (e and e["size_class"]) or "unknown",
                    self.levels[c["id"]],
                ),
                {
                    "groups": 1,
                    "group_charge_fen": c["monthly_charge_fen"],
                    "group_employees": e["employees"] if e else 0,
                    "group_members": sum(
                        m["customer_id"] == c["id"] and self.holds(m["since"], m["until"])
                        for m in self.rows["group_member"]
                    ),
                    "agreements": len(valid),
                    "groups_with_agreement": bool(valid),
                    "agreements_expiring": sum(
                        a["expires_on"] is not None
                        and a["expires_on"] < soon
                        and not a["auto_renews"]
                        for a in valid
                    ),
                },
            )

    def subscription(self) -> Iterator[Said]:
        for s, _, level in self.of("subscription"):
            here = self.holds(s["entry_date"], s["ended_on"])
            ended = self.within(s["ended_on"]) and s["entry_date"] < self.after
            yield (
                (s["brand"] or "unknown", level, s["contract_term"]),
                {
                    "lines": here,
                    "contract_lines": here and s["contract_term"].endswith("year"),
                    "suspended_lines": here and s["status"] == "suspended",
                    "new_lines": self.within(s["entry_date"]),
                    "ended_lines": ended,
                    "lines_exposed": here or ended,
                },
            )

    def product(self) -> Iterator[Said]:
        for h, c, level in self.of("product_holding"):
            here = self.holds(h["since"], h["until"])
            yield (
                (h["category"], c["kind"], level),
                {
                    "product_holdings": here,
                    "product_quantity": here * h["quantity"],
                    "product_fee_fen": here * h["monthly_fee_fen"],
                    "new_products": self.within(h["since"]),
                    "ended_products": self.within(h["until"]),
                },
            )

    def credit(self) -> Iterator[Said]:
        here = {c["id"] for c in self.present()}
        for r, c, level in self.of("credit_result"):
            if c["id"] in here and r["since"] < self.after_at:
                yield (
                    (r["rating"], level, c["kind"]),
                    {
                        "rated_customers": 1,
                        "credit_marks": r["score"],
                        "credit_limit_fen": r["limit_fen"],
                    },
                )

    def completeness(self) -> Iterator[Said]:
        here = {c["id"] for c in self.present()}
        for s, c, level in self.of("customer_completeness"):
            if c["id"] in here:
                yield (
                    (level, c["kind"]),
                    {
                        "scored_profiles": 1,
                        "completeness_marks": s["score"],
                        "complete_profiles": s["score"] == 100,
                        "lowest_completeness": s["score"],
                    },
                )

    def account_manager(self) -> Iterator[Said]:
        units = {s["id"]: s["unit_code"] for s in self.rows["staff_member"]}
        held = defaultdict(list)
        for c in self.present():
            held[c["manager_id"]].append(c)
        limits = ((50, "1-50"), (100, "51-100"), (200, "101-200"))
        for manager, mine in held.items():
            key = sum(self.levels[c["id"]] != "standard" for c in mine)
            if manager is None:
                yield ("unmanaged", "none"), {"unmanaged_key_customers": key}
                continue
            yield (
                (units[manager], band(len(mine), *limits, beyond="201+")),
                {
                    "managers": 1,
                    "managed_customers": len(mine),
                    "managed_key_customers": key,
                    "managed_charge_fen": sum(c["monthly_charge_fen"] for c in mine),
                    "heaviest_load": len(mine),
                },
            )
