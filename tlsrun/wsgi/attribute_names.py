"""The short names of attributes in distinguished names, as OpenSSL, and so mod_ssl, spells them."""

from __future__ import annotations

#: (arc, first number) -> the names from that number on. tests/wsgi/test_dn.py compares them with OpenSSL's.
_ARCS = {
    # ITU-T X.520
    ("2.5.4", 3): (
        "CN SN serialNumber C L ST street O OU title description searchGuide businessCategory postalAddress postalCode "
        "postOfficeBox physicalDeliveryOfficeName telephoneNumber telexNumber teletexTerminalIdentifier "
        "facsimileTelephoneNumber x121Address internationaliSDNNumber registeredAddress destinationIndicator "
        "preferredDeliveryMethod presentationAddress supportedApplicationContext member owner roleOccupant seeAlso "
        "userPassword userCertificate cACertificate authorityRevocationList certificateRevocationList "
        "crossCertificatePair name GN initials generationQualifier x500UniqueIdentifier dnQualifier "
        "enhancedSearchGuide protocolInformation distinguishedName uniqueMember houseIdentifier "
        "supportedAlgorithms deltaRevocationList dmdName"
    ),
    ("2.5.4", 65): "pseudonym",
    ("2.5.4", 72): "role",
    ("2.5.4", 97): "organizationIdentifier c3 n3 dnsName",
    # PKCS #9 (RFC 2985)
    ("1.2.840.113549.1.9", 1): (
        "emailAddress unstructuredName contentType messageDigest signingTime countersignature challengePassword "
        "unstructuredAddress extendedCertificateAttributes"
    ),
    ("1.2.840.113549.1.9", 14): "extReq SMIME-CAPS SMIME",
    ("1.2.840.113549.1.9", 20): "friendlyName localKeyID",
    # COSINE (RFC 4524)
    ("0.9.2342.19200300.100.1", 1): (
        "UID textEncodedORAddress mail info favouriteDrink roomNumber photo userClass host manager documentIdentifier "
        "documentTitle documentVersion documentAuthor documentLocation"
    ),
    ("0.9.2342.19200300.100.1", 20): (
        "homeTelephoneNumber secretary otherMailbox lastModifiedTime lastModifiedBy DC aRecord pilotAttributeType27 "
        "mXRecord nSRecord sOARecord cNAMERecord"
    ),
    ("0.9.2342.19200300.100.1", 37): (
        "associatedDomain associatedName homePostalAddress personalTitle mobileTelephoneNumber pagerTelephoneNumber "
        "friendlyCountryName uid organizationalStatus janetMailbox mailPreferenceOption buildingName dSAQuality "
        "singleLevelQuality subtreeMinimumQuality subtreeMaximumQuality personalSignature dITRedirect audio "
        "documentPublisher"
    ),
    # CA/Browser Forum, EV guidelines
    ("1.3.6.1.4.1.311.60.2.1", 1): "jurisdictionL jurisdictionST jurisdictionC",
    # Microsoft
    ("1.3.6.1.4.1.311.20.2", 2): "msSmartcardLogin msUPN",
    # Qualified certificates (RFC 3739)
    ("1.3.6.1.5.5.7.9", 1): (
        "id-pda-dateOfBirth id-pda-placeOfBirth id-pda-gender id-pda-countryOfCitizenship id-pda-countryOfResidence"
    ),
    # Russia: registration and tax numbers
    ("1.2.643.100", 1): "OGRN",
    ("1.2.643.100", 3): "SNILS",
    ("1.2.643.100", 5): "OGRNIP",
    ("1.2.643.3.131.1", 1): "INN",
}

#: Object identifier in dotted notation -> short name.
SHORT_NAMES = {
    f"{arc}.{number}": name for (arc, first), names in _ARCS.items() for number, name in enumerate(names.split(), first)
}
