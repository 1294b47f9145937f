"""Who of the customer's people has a part in a deal."""

from __future__ import annotations

from typing import Any

import pytest

from app.ground.errors import Invalid


async def test_roles_are_rewritten_to_the_tenants_list_and_one_contact_is_primary(firm: Any) -> None:
    await firm.taken("contacts", {"external_id": "p1", "name": "One", "account_id": "crm:a1"})
    await firm.taken("contacts", {"external_id": "p2", "name": "Two"})
    listed = {"field": "opportunity.contact_roles.role", "value": "decision_maker", "label": "Decides"}
    await firm.create("picklist_values", {**listed, "aliases": ["Entscheider"]})
    deal = await firm.create(
        "opportunities",
        {
            "name": "Deal", "stage_id": "crm:s1",
            "contact_roles": [
                {"contact_id": "crm:p1", "role": "Entscheider", "is_primary": True},
                {"contact_id": "crm:p2", "role": "champion"},
            ],
        },
    )  # fmt: skip
    roles = (await firm.get("opportunities", deal.id, "contact_roles"))["contact_roles"]
    assert {(x["role"], x["is_primary"]) for x in roles} == {("decision_maker", True), ("champion", False)}
    merged = [{"contact_id": "crm:p2", "role": "champion", "is_primary": True}]
    with pytest.raises(Invalid) as refused:
        await firm.patch("opportunities", deal.id, {"contact_roles_merge": merged})
    assert refused.value.errors[0].code == "contact_roles_refused"
    same = [{"contact_id": "crm:p1", "role": "Entscheider", "is_primary": True}]
    receipt = await firm.patch("opportunities", deal.id, {"contact_roles_merge": same})
    assert receipt.outcome == "unchanged"
