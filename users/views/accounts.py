"""The routes /login and /user/:userid (contract 3)."""

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from atelier.core.callers import permit, require
from atelier.core.lookups import ANYBODY, noted_tags
from atelier.core.responses import private_json
from atelier.core.viewsets import ServiceViewSet, json_body
from users.models import user_scope
from users.serializers import accounts as serializers
from users.services import accounts as services


class AccountViewSet(ServiceViewSet):
    def admit(self, request: HttpRequest) -> None:
        self.caller = require(request, serializers.ACCOUNTS)

    @extend_schema(**serializers.LOGIN_SCHEMA)
    def login(self, request: HttpRequest) -> HttpResponse:
        body = json_body(request, complaint=serializers.UNREADABLE)
        login = services.log_in(**serializers.login_of(body))
        if not login.is_new:
            return private_json(serializers.KNOWN_ACCOUNT)
        answer = serializers.new_account(login.userid, login.ip, login.subscription_status)
        return private_json(answer, status=201)

    @extend_schema(**serializers.RETRIEVE_SCHEMA)
    def retrieve(self, request: HttpRequest, userid: str) -> HttpResponse:
        known = serializers.userid_of(userid)
        found = services.find_account(userid=known, noted=noted_tags(request, user_scope(known)))
        answer = private_json(serializers.account_answer(found))
        permit(request, answer, self.caller, ANYBODY)
        return answer
