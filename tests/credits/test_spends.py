from credits.models import Entry


def test_a_spend_takes_the_free_bundle_first_and_says_what_it_drew(api, organization):
    response = api.spend(quantity=3, reference="image-1")
    assert response.status_code == 201, response.content
    body = response.json()
    grant = organization.grants.get()
    assert body == {
        "id": body["id"],
        "organization": organization.public_id,
        "action": "alt-text.generate",
        "quantity": 3,
        "credits": 3,
        "status": "spent",
        "reference": "image-1",
        "drawn": [{"grant": str(grant.id), "kind": "weekly", "credits": 3}],
        "created_at": body["created_at"],
    }
    assert grant.remaining == 47
    assert list(Entry.objects.order_by("seq").values_list("seq", "kind", "credits")) == [
        (1, "grant", 50),
        (2, "spend", -3),
    ]
