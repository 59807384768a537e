"""Chromium looks at the pages: they work under their content policy, from our host alone."""

import json
import os
import shutil
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth import get_user_model

from reviews.models import Moderation, Review
from tests.factories.etl import ImportFileFactory
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)
from tests.factories.reviews import CharacteristicReviewFactory, ReviewFactory, recount
from tests.factories.users import PASSWORD, AdminFactory, PersonClientFactory, give_token

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="There is no Chromium: apt-get install chromium chromium-driver",
    ),
]

PATIENCE_SECONDS = 20


class Browser:
    """A window that remembers what it complained of and which hosts it asked."""

    def __init__(self, home):
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--disable-dev-shm-usage", "--window-size=1400,1000"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            # Chromium's sandbox does not start as root.
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.home = home
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.implicitly_wait(PATIENCE_SECONDS)

    def open(self, path):
        self.driver.get(self.home + path)

    def find(self, css):
        return self.driver.find_element("css selector", css)

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def wait_for(self, condition):
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, PATIENCE_SECONDS).until(lambda driver: condition())

    def log_in(self, username):
        self.open("/admin/login/?next=/admin/")
        self.find("[name=username]").send_keys(username)
        self.find("[name=password]").send_keys(PASSWORD)
        self.find("[type=submit]").click()
        self.wait_for(lambda: "/login/" not in self.driver.current_url)

    def complaints(self):
        """Errors and warnings since the last call, blocked content among them."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]

    def hosts(self):
        """Hosts that were asked since the last call."""
        events = [
            json.loads(row["message"])["message"] for row in self.driver.get_log("performance")
        ]
        addresses = [
            urlsplit(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {address.netloc for address in addresses if address.scheme.startswith("http")}


@pytest.fixture
def browser(live_server):
    opened = Browser(live_server.url)
    yield opened
    opened.driver.quit()


@pytest.fixture
def staff(browser):
    browser.log_in(AdminFactory().username)
    return browser


@pytest.fixture
def shop():
    product = ProductFactory(id=1, name="Camo Onesie")
    FeatureFactory(product=product)
    style = StyleFactory(id=1, product=product)
    PhotoFactory(style=style)
    SkuFactory(style=style)
    RelatedProductFactory(product=product)
    for number in (11, 12, 13):
        review = ReviewFactory(
            id=number,
            product=product,
            source_reported=True,
            summary="<script>document.title = 'stored'</script>",
        )
    CharacteristicReviewFactory(review=review)
    recount()
    return ImportFileFactory().run


def test_pages_of_the_admin_load_without_complaint(staff, live_server, shop):
    client = PersonClientFactory()
    give_token(client)
    tenant = client.tenant_id
    for path in (
        "/admin/",
        "/admin/products/product/",
        "/admin/products/product/1/change/",
        "/admin/products/product/add/",
        "/admin/products/product/1/delete/",
        "/admin/products/style/1/change/",
        "/admin/products/style/add/?product=1",
        "/admin/reviews/review/",
        "/admin/reviews/review/?awaiting=yes",
        "/admin/reviews/review/11/change/",
        "/admin/reviews/reviewmeta/1/change/",
        "/admin/reviews/characteristic/",
        f"/admin/etl/importrun/{shop.pk}/change/",
        "/admin/users/user/",
        "/admin/users/tenant/",
        f"/admin/users/tenant/{tenant}/change/",
        f"/admin/users/tenant/{tenant}/history/",
        "/admin/users/client/",
        "/admin/users/client/add/",
        "/admin/oauth2_provider/accesstoken/",
        "/admin/password_change/",
    ):
        staff.open(path)
        # Alpine.js takes the attribute away once it has compiled the page's expressions.
        staff.wait_for(
            lambda: (
                not staff.driver.execute_script(
                    "return document.documentElement.hasAttribute('x-cloak')"
                )
            )
        )
        assert staff.complaints() == [], path
        assert staff.hosts() == {urlsplit(live_server.url).netloc}
        assert staff.driver.title != "stored"


def test_moderator_rejects_two_of_three_reviews(staff, shop):
    from selenium.webdriver.support.select import Select

    staff.open("/admin/reviews/review/?awaiting=yes")
    for box in staff.all("#result_list tbody input.action-select")[:2]:
        box.click()
    Select(staff.find("select[name=action]")).select_by_visible_text(
        "Reject: take out of list and meta"
    )
    staff.find("button[name=index]").click()
    staff.wait_for(lambda: "2 reviews are now: rejected." in staff.driver.page_source)
    assert len(staff.all("#result_list tbody input.action-select")) == 1
    rejected = Review.objects.filter(moderation=Moderation.REJECTED)
    assert set(rejected.values_list("id", flat=True)) == {12, 13}
    assert staff.complaints() == []


def test_related_product_is_chosen_in_the_search_window(staff, shop):
    ProductFactory(id=77, name="Wool Hat")
    staff.open("/admin/products/product/1/change/#related_products")
    staff.wait_for(lambda: [tab for tab in staff.all("a") if tab.text == "Related products"])
    [tab] = [tab for tab in staff.all("a") if tab.text == "Related products"]
    tab.click()
    form = staff.driver.current_window_handle
    staff.find("#lookup_id_related-0-related_product").click()
    staff.wait_for(lambda: len(staff.driver.window_handles) == 2)
    [window] = set(staff.driver.window_handles) - {form}
    staff.driver.switch_to.window(window)
    staff.find("a[data-popup-opener='77']").click()
    staff.wait_for(lambda: len(staff.driver.window_handles) == 1)
    staff.driver.switch_to.window(form)
    assert staff.find("#id_related-0-related_product").get_attribute("value") == "77"
    staff.find("button[name=_continue]").click()
    staff.wait_for(lambda: "was changed successfully" in staff.driver.page_source)
    assert staff.complaints() == []


def test_documentation_can_be_tried_out(browser, live_server, shop):
    browser.open("/docs")
    browser.find("#operations-products-products_list .opblock-summary-control").click()
    browser.find(".try-out__btn").click()
    browser.find("button.execute").click()
    assert browser.find(".live-responses-table .response .response-col_status").text == "200"
    assert "Camo Onesie" in browser.find(".live-responses-table").text
    assert browser.complaints() == []
    assert browser.hosts() == {urlsplit(live_server.url).netloc}


def test_wrong_password_is_told(browser):
    assert not get_user_model().objects.exists()
    browser.open("/admin/")
    browser.find("[name=username]").send_keys("nobody")
    browser.find("[name=password]").send_keys("wrong")
    browser.find("[type=submit]").click()
    browser.wait_for(lambda: "Please enter the correct username" in browser.driver.page_source)
    assert browser.complaints() == []


@pytest.mark.parametrize("callback", ["/healthz", "http://127.0.0.1:65530/callback"])
def test_a_person_signs_in_and_allows_a_client(browser, live_server, callback):
    """That the browser goes to the client's address is enough: the second answers nothing.

    What it complains of there, such as a missing icon, may come at any time after.
    """
    admin = AdminFactory()
    target = urljoin(live_server.url, callback)
    PersonClientFactory(client_id="office", redirect_uris=target)
    browser.open(
        "/oauth/authorize?response_type=code&client_id=office&scope=moderation&state=s"
        f"&redirect_uri={target}&code_challenge={'x' * 43}&code_challenge_method=S256"
    )
    browser.find("[name=username]").send_keys(admin.username)
    browser.find("[name=password]").send_keys(PASSWORD)
    browser.find("[type=submit]").click()
    browser.wait_for(lambda: "Allow The back office?" in browser.driver.page_source)
    assert browser.complaints() == []
    assert browser.find("li").text == "Moderate, answer and delete reviews"
    width = browser.driver.execute_script("return document.querySelector('main').offsetWidth")
    # 28 rem and the padding: the stylesheet is there.
    assert 400 < width < 560
    if folder := os.environ.get("SCREENSHOTS"):
        browser.driver.save_screenshot(f"{folder}/authorize.png")
    browser.find("[name=allow]").click()
    browser.wait_for(lambda: "code=" in browser.driver.current_url)
    assert browser.driver.current_url.startswith(target)
